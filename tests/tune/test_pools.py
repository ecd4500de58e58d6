"""What every pool of workers has to keep, held by real processes: on this machine, and on a small Ray cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras_tuner
import psutil
import pytest

from evertune.errors import SearchError
from evertune.settings import ExportSettings, TuneSettings
from evertune.task import LabelledWindow, Splits
from tests.tune.conftest import LIMITS
from tune import Event, Study, load_study, search
from tune.channel import Message
from tune.dataset import write_splits
from tune.events import TrialEpoch, TrialStarted, WorkerLost
from tune.journal import read_entries
from tune.plan import Plan
from tune.pool import Pool, Worker
from tune.process_pool import ProcessPool
from tune.ray_pool import RayPool

_PATIENCE_SECONDS = 100.0


class Cluster:
    """The process of ray_nodes.py."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("ray_nodes.py"))]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.address = self._line()

    def do(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._line() == "done"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        """As when the tests are killed: the pipe ends."""
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.communicate(timeout=_PATIENCE_SECONDS)
        _, alive = psutil.wait_procs(family, timeout=_PATIENCE_SECONDS)
        assert alive == []


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def plan(root: Path, splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("pools") / "study"
    made = Plan("task.py:Tiny", root, folder, max_epochs=3, seed=0, backend="torch", limits=LIMITS, export=ExportSettings())
    write_splits(splits, made.data)
    return made


@pytest.fixture(scope="module", params=["processes", "ray"])
def pool(request: pytest.FixtureRequest, plan: Plan) -> Iterator[Pool]:
    """Two workers, or as many as have room."""
    if request.param == "processes":
        made: Pool = ProcessPool(plan, 2, threads=1, devices=["GPU-a", "GPU-b"])
    else:
        made = RayPool(plan, 2, threads=1, address=request.getfixturevalue("cluster").address)
    made.start()
    yield made
    made.close()
    assert made.workers == []


def following(pool: Pool, wanted: str | None) -> tuple[Worker, Message]:
    """The next message of that type; the next death, for None."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for worker, messages in pool.wait(0.5):
            if messages is None:
                assert wanted is None
                return worker, {}
            assert messages[0]["type"] == wanted, messages
            worker.ready = True
            return worker, messages[0]
    raise AssertionError(f"no {wanted}")


def trial(trial_id: str, **values: Any) -> Message:
    hp = keras_tuner.HyperParameters()
    hp.values = {"units": 16, "rate": 1e-3, "batch_size": 256, **values}
    return {"trial_id": trial_id, "hyperparameters": hp.get_config(), "warm": False}


def process_of(plan: Plan, worker: Worker) -> psutil.Process:
    """Whose standard output the worker's log is, or, on Ray, the actor of that name."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(file.path == worker.log for file in process.open_files()) or process.name() == "ray::RayWorker":
                return process
    raise AssertionError(f"{worker.name} has no process")
