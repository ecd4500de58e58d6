"""Runs one search in driver after driver, each killed at another moment; run by test_kills.py.

`python killed_search.py PROJECT STUDY`; the last line is JSON: what the last driver, which lives, was told. This
process imports the frameworks once and forks the drivers, so that only workers pay for their start. With the address of
a Ray cluster and the process that holds it, workers run there, and no driver lives.
"""

from __future__ import annotations

import json
import os

os.environ["KERAS_BACKEND"] = "torch"

import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil

import tune.oracle
import tune.tuner  # noqa: F401  # before the fork
from evertune.settings import ExportSettings, LimitSettings, TuneSettings
from evertune.task import LabelledWindow
from tune import Event, search
from tune.events import TrialEpoch, TrialStarted, WorkerLost
from tune.journal import Journal

# How many workers a driver has, which entry of its own is its last, and whether that is still written.
MOMENTS = [(1, ("started", 1, True)), (2, ("epoch", 3, True)), (1, ("ended", 1, False))]
RAY_MOMENTS = [(1, ("epoch", 2, True))]
_PATIENCE_SECONDS = 60.0

WORKERS_ON_RAY = "ray::RayWorker"


def workers_now() -> list[psutil.Process]:
    """Of this driver, or of all drivers of the Ray cluster."""
    if len(sys.argv) <= 3:
        return list(psutil.Process().children())
    return ray_workers(int(sys.argv[4]))


def ray_workers(cluster_pid: int) -> list[psutil.Process]:
    """Processes of the cluster that hold one of our actors."""
    family = psutil.Process(cluster_pid).children(recursive=True)
    return [each for each in family if "".join(each.cmdline()).startswith(WORKERS_ON_RAY)]


def die(workers_file: Path) -> None:
    """As `kill -9`, having noted which workers are left alone."""
    workers_file.write_text(json.dumps([each.pid for each in workers_now()]))
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(fatal: str, number: int, written: bool, workers_file: Path) -> None:
    append, seen = Journal.append, [0]

    def counted(self: Journal, event: str, **content: Any) -> None:
        seen[0] += event == fatal
        last = event == fatal and seen[0] == number
        if last and not written:
            die(workers_file)
        append(self, event, **content)
        if last:
            die(workers_file)

    Journal.append = counted  # type: ignore[method-assign]


class Told:
    """Kills all workers at the first epoch, and keeps what the search tells."""

    def __init__(self) -> None:
        self.lost: list[str | None] = []
        self.attempts: dict[str, int] = {}
        self._killed = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, TrialEpoch) and not self._killed:
            self._killed = True
            for worker in psutil.Process().children():
                worker.kill()
        if isinstance(event, WorkerLost):
            self.lost.append(event.trial_id)
        if isinstance(event, TrialStarted):
            self.attempts[event.trial_id] = event.attempt


def drive(project: Path, study: Path, workers: int, progress: Told | None = None) -> None:
    ray = {"executor": "ray", "ray_address": sys.argv[3]} if len(sys.argv) > 3 else {}
    search(
        "task.py:Tiny",
        project_root=project,
        window=LabelledWindow(),
        folder=study,
        settings=TuneSettings.model_validate({"max_trials": 4, "max_epochs": 3, "workers": workers, **ray}),
        limits=LimitSettings(latency_seconds=1.0, size_bytes=1_000_000),
        export=ExportSettings(),
        progress=progress,
    )


def killed_driver(project: Path, study: Path, count: int, moment: tuple[str, int, bool]) -> None:
    """Forks a driver, waits for its death, and for that of its workers."""
    workers_file = study.with_name("workers.json")
    driver = os.fork()
    if driver == 0:
        try:
            kill_at(*moment, workers_file)
            drive(project, study, count)
        finally:
            os._exit(1)
    _, status = os.waitpid(driver, 0)
    if not os.WIFSIGNALED(status):
        sys.exit(f"the driver was not killed at {moment}")
    workers = json.loads(workers_file.read_text())
    if len(workers) != count:
        sys.exit(f"there were {len(workers)} workers at {moment}")
    wait_until_gone(workers)


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        if time.monotonic() > deadline:
            sys.exit(f"workers are left behind: {pids}")
        time.sleep(0.02)


def main() -> None:
    project, study = Path(sys.argv[1]), Path(sys.argv[2])
    on_ray = len(sys.argv) > 3
    for count, moment in RAY_MOMENTS if on_ray else MOMENTS:
        killed_driver(project, study, count, moment)
    if on_ray:
        return
    told = Told()
    drive(project, study, 2, told)
    print(json.dumps({"lost": told.lost, "attempts": told.attempts}))


if __name__ == "__main__":
    main()
