"""`evertune demo`: the whole loop, once around."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of search, order of the stream, and labels.")] = 0,
    output: Annotated[Path, typer.Option("--output", help="Folder in which the demo makes its own.")] = Path("runs"),
) -> None:
    """Walk once around the loop on shipped images: search, export, serve, drift, re-tune, swap, recovery.

    Takes under five minutes on two cores, and ends with a timeline, a verdict and an HTML report.
    """
    from cli.demo.run import main

    raise typer.Exit(main(seed=seed, output=output.resolve()))
