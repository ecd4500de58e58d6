"""The folder in which the workers of one server share their metrics."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil
from prometheus_client import REGISTRY, CollectorRegistry

from serve.metrics import Metrics


def claim_folder(root: Path) -> Path:
    """A folder for the server whose supervisor this process is; those of dead supervisors are removed.

    Args:
        root: Of all servers of the project.
    """
    for folder in root.glob("[0-9]*"):
        if folder.name.isdigit() and not psutil.pid_exists(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)
    return root / str(os.getpid())


def worker_metrics(shared: Path | None) -> Metrics:
    """The metrics of this worker.

    Args:
        shared: As set in `PROMETHEUS_MULTIPROC_DIR` before prometheus_client was imported; None: one process.
    """
    return Metrics(REGISTRY if shared else CollectorRegistry(), shared)
