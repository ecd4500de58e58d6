"""`evertune serve`: becomes `bentoml serve`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer


def serve(
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Instead of serve.port.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Instead of serve.workers.")] = None,
) -> None:
    """Serve the champions of the registry over HTTP, as `bentoml serve` does in the project's folder.

    Without a champion the server is live but not ready, and says how to get one.
    """
    from evertune.settings import load_project
    from serve.command import bentoml_command

    command, environment = bentoml_command(load_project(), port=port, workers=workers)
    sys.stdout.flush()
    os.execve(command[0], command, environment)  # BentoML gets our process id, so that signals reach it
