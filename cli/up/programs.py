"""The processes of a project."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from cli.up.program import Program
from evertune.settings import Project
from serve.command import bentoml_command


def own_programs(project: Project, retune_environment: Mapping[str, str]) -> list[Program]:
    """Server, exporter and re-tune worker, in the order in which they start.

    Without a task file, as on a machine that only serves, there is nothing to re-tune and no worker.

    Args:
        project: Which.
        retune_environment: Variables for the re-tune worker.
    """
    settings, root = project.settings, {"EVERTUNE_PROJECT": str(project.root)}
    command, environment = bentoml_command(project)
    evertune = str(Path(sys.executable).with_name("evertune"))
    serve, monitor, retune = settings.serve, settings.monitor, settings.retune
    programs = [
        Program("serve", command, (serve.host, serve.port), "serve.port", "/v2/health/live", "/docs", environment),
        Program(
            "monitor", [evertune, "monitor"], (monitor.host, monitor.port), "monitor.port", "/metrics", "/metrics", root
        ),
    ]
    worker = Program(
        "retune",
        [evertune, "retune"],
        (retune.host, retune.port),
        "retune.port",
        "/health/live",
        "",
        {**root, **retune_environment},
    )
    return [*programs, worker] if task_file(project).is_file() else programs


def task_file(project: Project) -> Path:
    """Of `project.task`, "file.py:Class"."""
    return project.root / project.settings.project.task.rpartition(":")[0]
