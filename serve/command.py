"""How to start the server of a project."""

from __future__ import annotations

import os
import sys

from evertune.settings import Project

_GRACEFUL_SECONDS = 30  # BentoML's own default is a day


def bentoml_command(
    project: Project, port: int | None = None, workers: int | None = None
) -> tuple[list[str], dict[str, str]]:
    """The command line of `bentoml serve`, and its whole environment.

    Args:
        project: Which project to serve, wherever the caller stands.
        port: Instead of `serve.port`.
        workers: Instead of `serve.workers`.
    """
    root = str(project.root)
    command = [sys.executable, "-m", "bentoml", "serve", "serve.service:Evertune", "--working-dir", root]
    command += ["--timeout-graceful-shutdown", str(_GRACEFUL_SECONDS)]
    environment = {
        **os.environ,
        "EVERTUNE_PROJECT": root,
        "BENTOML_DO_NOT_TRACK": "True",
        "OTEL_SDK_DISABLED": "true",
    }
    if port is not None:
        command += ["--port", str(port)]
    if workers is not None:
        environment["EVERTUNE_SERVE__WORKERS"] = str(workers)
    return command, environment
