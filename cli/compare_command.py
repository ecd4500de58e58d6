"""`evertune compare`: two bundles on the same rows."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.inspect_command import BUNDLE_HELP
from cli.options import Json

_ROUNDS = 25
_MOST_ROWS = 10_000


def compare(
    a: Annotated[str, typer.Argument(help=BUNDLE_HELP)],
    b: Annotated[str, typer.Argument(help="Likewise: another bundle of the same model.")],
    task: Annotated[
        str | None, typer.Option("--task", metavar="FILE.py:Class", help="Whose test rows; else the project's task.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Test rows at most, evenly spaced.")] = _MOST_ROWS,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Of the latency measurement.")] = _ROUNDS,
    json_output: Json = False,
) -> None:
    """Compare two bundles of one model: loss with a 95% interval, decisions, latency, size, hyperparameters.

    Both answer the same rows: the test rows of the task, or the golden rows of both where the task is not at hand.
    A bundle that was tuned on those rows has an unfair advantage; only a re-tune's gate uses rows that neither saw.
    """
    from cli.bundles import the_bundle
    from cli.compare.common_rows import common_rows
    from cli.compare.comparable import require_comparable
    from cli.compare.comparison import comparison
    from cli.output import print_json
    from cli.stages import stage

    first, second = the_bundle(a), the_bundle(b)
    require_comparable(first, second)
    with stage("reading the rows"):
        common = common_rows(first, second, task, rows)
    with stage("running and timing both"):
        found = comparison(first, second, common, rounds=rounds, threads=1, batch_rows=_batch_rows())
    if json_output:
        print_json(found)
        return
    from rich.console import Console

    from cli.compare.text import comparison_text

    console = Console()
    for part in comparison_text(found):
        console.print(part, highlight=False)


def _batch_rows() -> int:
    """The largest batch of the project's server; of a server with the defaults where there is no project."""
    from evertune.errors import EvertuneError
    from evertune.settings import ExportSettings, load_project

    try:
        return load_project().settings.export.batch_rows
    except EvertuneError:
        return ExportSettings().batch_rows
