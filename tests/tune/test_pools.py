"""What every pool of workers has to keep, held by real processes: on this machine, and on a small Ray cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras_tuner
import psutil
import pytest

from evertune.settings import ExportSettings, TuneSettings
from evertune.task import LabelledWindow, Splits
from tests.tune.conftest import LIMITS
from tests.tune.killed_search import ray_workers
from tests.tune.test_kills import check_whole, run
from tune import Event, search
from tune.channel import Message
from tune.dataset import write_splits
from tune.events import TrialEpoch, TrialStarted, WorkerLost
from tune.plan import Plan
from tune.pool import Pool, Worker
from tune.process_pool import ProcessPool
from tune.ray_pool import RayPool
from tune.weights import load_arrays

_PATIENCE_SECONDS = 150.0

Backlog = list[tuple[Worker, str | None, Message]]


class Cluster:
    """The process of `benchmarks._ray_nodes`."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks._ray_nodes"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.pid = self._process.pid
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


@pytest.fixture(scope="module", params=["processes", "ray"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def plan(kind: str, root: Path, splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp(kind) / "study"
    made = Plan(
        "task.py:Tiny", root, folder, max_epochs=3, seed=0, backend="torch", limits=LIMITS, export=ExportSettings()
    )
    write_splits(splits, made.data)
    return made


@pytest.fixture(scope="module")
def pool(kind: str, plan: Plan, request: pytest.FixtureRequest) -> Iterator[Pool]:
    """Two workers, or as many as have room."""
    if kind == "processes":
        made: Pool = ProcessPool(plan, 2, threads=1, devices=["GPU-a", "GPU-b"])
    else:
        made = RayPool(plan, 2, threads=1, address=request.getfixturevalue("cluster").address)
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="module")
def backlog(pool: Pool) -> Backlog:
    """Of one pool: it changes with it."""
    return []


def following(pool: Pool, wanted: str | None, backlog: Backlog) -> tuple[Worker, Message]:
    """The next message of that type, or the next death for None; what comes before it stays in the backlog."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for event in backlog:
            if event[1] == wanted:
                backlog.remove(event)
                return event[0], event[2]
        for worker, messages in pool.wait(0.5):
            for message in [{"type": None}] if messages is None else messages:
                worker.ready = True
                backlog.append((worker, message["type"], message))
    raise AssertionError(f"no {wanted}, but {backlog}")


def trial(trial_id: str, **values: Any) -> Message:
    hp = keras_tuner.HyperParameters()
    hp.values = {"units": 16, "rate": 1e-3, "batch_size": 256, **values}
    return {"trial_id": trial_id, "hyperparameters": hp.get_config(), "warm": False, "epochs": None}


def still_there(pid: int | None) -> bool:
    return bool(psutil.pid_exists(pid or 0)) and bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- the contract; the tests of one pool follow each other ----------------------------------------------------------


def test_an_epoch_waits_for_its_answer_and_its_files_are_there_before_it(
    pool: Pool, plan: Plan, backlog: Backlog
) -> None:
    worker, _ = following(pool, "ready", backlog)
    pool.hand_out(worker, "7", trial("7"))
    told, epoch = following(pool, "epoch", backlog)
    assert told is worker
    assert (epoch["trial_id"], epoch["step"], worker.trial_id) == ("7", 1, "7")
    accuracies = load_arrays(plan.trial_folder("7") / "checkpoint.npz")["accuracies"]
    assert accuracies[0].tolist() == [epoch["metrics"]["val_accuracy"]]
    pool.answer(worker, {"type": "go"})
    assert following(pool, "epoch", backlog)[1]["step"] == 2
    pool.answer(worker, {"type": "stop"})
    record = following(pool, "ended", backlog)[1]["record"]
    assert (record["trial_id"], record["state"], record["epochs"]) == ("7", "pruned", 2)
    pool.finish_trial(worker)
    assert worker.trial_id is None
    assert worker in pool.workers


def test_a_trial_that_loses_its_worker_goes_on_with_another_elsewhere(
    pool: Pool, plan: Plan, backlog: Backlog, request: pytest.FixtureRequest
) -> None:
    first = next(worker for worker in pool.workers if worker.trials)
    if isinstance(pool, RayPool):
        assert [worker.placed for worker in pool.workers if worker is not first] == [False]
        request.getfixturevalue("cluster").do("add")  # a node that joins gets work
    second, _ = following(pool, "ready", backlog)
    pool.hand_out(first, "8", trial("8"))
    following(pool, "epoch", backlog)
    pool.answer(first, {"type": "go"})
    following(pool, "epoch", backlog)
    os.kill(first.pid or 0, signal.SIGKILL)
    dead, _ = following(pool, None, backlog)
    assert (dead, dead.trial_id, dead.blameless) == (first, "8", False)
    assert list(pool.workers) == [second]
    pool.hand_out(second, "8", trial("8"))
    assert following(pool, "epoch", backlog)[1]["step"] == 2  # reported again, not trained again
    pool.answer(second, {"type": "go"})
    assert following(pool, "epoch", backlog)[1]["step"] == 3
    pool.answer(second, {"type": "go"})
    assert following(pool, "ended", backlog)[1]["record"]["state"] == "completed"
    assert (plan.trial_folder("8") / "weights.npz").exists()
    pool.finish_trial(second)


def test_a_worker_that_is_killed_is_forgotten(pool: Pool) -> None:
    worker = next(worker for worker in pool.workers if worker.ready)
    pool.hand_out(worker, "9", trial("9"))
    pool.kill(worker)  # its time is up
    assert worker not in pool.workers
    wait_until(lambda: not still_there(worker.pid))


def test_a_new_worker_takes_the_place_of_one_that_ended(pool: Pool) -> None:
    before = [worker.name for worker in pool.workers]
    pool.start()
    assert len(pool.workers) == 2
    assert [worker.ready for worker in pool.workers] == [False, False]
    assert len({"worker0", "worker1", *before, *(worker.name for worker in pool.workers)}) == 4
    if isinstance(pool, ProcessPool):
        environments = [psutil.Process(each.pid).environ() for each in pool.workers]
        assert sorted(each["CUDA_VISIBLE_DEVICES"] for each in environments) == ["GPU-a", "GPU-b"]  # none twice
        assert {each["OMP_NUM_THREADS"] for each in environments} == {"1"}


def test_a_worker_that_goes_with_its_node_is_not_to_blame(
    pool: Pool, backlog: Backlog, request: pytest.FixtureRequest
) -> None:
    if not isinstance(pool, RayPool):  # its node is this machine, which is there: what died is to blame
        psutil.Process(pool.workers[0].pid).kill()
        assert not following(pool, None, backlog)[0].blameless
        return
    wait_until(lambda: pool.wait(0.1) is not None and all(worker.placed for worker in pool.workers))
    request.getfixturevalue("cluster").do("remove")
    gone, _ = following(pool, None, backlog)
    assert gone.blameless
    assert gone not in pool.workers
    assert len(pool.workers) == 1


def test_closing_ends_all_of_them(pool: Pool) -> None:
    workers = list(pool.workers)
    pool.close()
    assert list(pool.workers) == []
    wait_until(lambda: not any(still_there(worker.pid) for worker in workers))


# --- on Ray ---------------------------------------------------------------------------------------------------------


def test_a_search_on_ray_outlives_its_driver_its_workers_and_gives_work_to_a_node_that_joins(
    cluster: Cluster, root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    run(root, folder, cluster.address, str(cluster.pid))  # its driver is killed
    told: list[Event] = []
    nodes: set[int] = set()

    def progress(event: Event) -> None:
        told.append(event)
        if isinstance(event, TrialStarted) and len(nodes) == 0:
            cluster.do("add")
        if isinstance(event, TrialEpoch):
            running = ray_workers(cluster.pid)
            nodes.update(each.ppid() for each in running)
            if not any(isinstance(each, WorkerLost) for each in told):
                running[0].kill()

    search(
        "task.py:Tiny",
        project_root=root,
        window=LabelledWindow(),
        folder=folder,
        settings=TuneSettings(max_trials=4, max_epochs=3, workers=2, executor="ray", ray_address=cluster.address),
        limits=LIMITS,
        export=ExportSettings(),
        progress=progress,
    )
    check_whole(folder)
    assert any(isinstance(event, WorkerLost) for event in told)
    assert len(nodes) == 2
    wait_until(lambda: ray_workers(cluster.pid) == [])
