"""`evertune up`: server, exporter and re-tune worker in one go."""

from __future__ import annotations

from typing import Annotated

import typer


def up(
    prometheus: Annotated[
        bool, typer.Option("--prometheus/--no-prometheus", help="Prometheus and Alertmanager, where installed.")
    ] = True,
) -> None:
    """Run all of the project on this machine: server, exporter, re-tune worker, Prometheus and Alertmanager.

    Starts them one after the other, waits until each is ready, shows where they are, restarts what crashes. Gives up
    where one crashes again and again. Ctrl-C, or SIGTERM, ends all of them.
    """
    from cli.up.run import run
    from evertune.settings import load_project

    run(load_project(), with_prometheus=prometheus)
