"""Workers on the nodes of a Ray cluster. Imported where `tune.executor` asks for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evertune.errors import SearchError
from evertune.rows import Rows
from evertune.task import Splits
from tune.carried import TrialFiles, pack
from tune.channel import Message, broken
from tune.dataset import open_splits
from tune.plan import Plan
from tune.pool import TRIALS_A_WORKER, Worker
from tune.ray_cluster import join, ray_module
from tune.ray_worker import RayWorker
from tune.worker_environment import worker_environment

_PLACE_SECONDS = 1800.0  # for the first worker to be placed: a cluster may have to start machines

_LEAVE_SECONDS = 2.0  # for workers to remove their files: whatever stays goes when the next search begins there


@dataclass(kw_only=True)
class _Actor(Worker):
    actor: Any
    pending: Any  # of `RayWorker.receive`
    files: TrialFiles | None = None
    node: str = ""


class RayPool:
    """See `Pool`. Ray Core's actors; files of trials are carried, so that nodes need share no folder.

    A worker waits until a node has room for it: one that joins while the search runs gets work. Data are put in Ray's
    object store once, and each node fetches them once.

    Args:
        plan: What they work on.
        count: How many at most.
        threads: Of each, and so many CPUs it takes; 0 is 1.
        gpus: Each takes; of a fraction several share a device.
        address: Of the cluster; see `join`.

    Raises:
        SearchError: Ray is not installed, no cluster answers, or one of this machine is too small for a worker.
    """

    def __init__(self, plan: Plan, count: int, *, threads: int = 0, gpus: float = 0.0, address: str = "") -> None:
        self._ray = ray_module()
        self._plan = plan
        self._count = count
        self._threads = threads or 1
        self._gpus = gpus
        self._started = 0
        self._since = time.monotonic()
        self._owned = join(address)
        self._workers: list[_Actor] = []
        self._arguments: tuple[Any, ...] | None = None
        if not address:
            self._require_room()

    @property
    def workers(self) -> Sequence[_Actor]:
        """See `Pool.workers`."""
        return self._workers

    def start(self) -> None:
        """See `Pool.start`."""
        while len(self._workers) < self._count:
            self._spawn()

    def hand_out(self, worker: Worker, trial_id: str, message: Message) -> None:
        """See `Pool.hand_out`."""
        assert isinstance(worker, _Actor)
        worker.takes(trial_id)
        worker.files = TrialFiles(self._plan.trial_folder(trial_id))
        worker.actor.deliver.remote(message, worker.files.changed())

    def answer(self, worker: Worker, message: Message) -> None:
        """See `Pool.answer`."""
        assert isinstance(worker, _Actor)
        worker.actor.deliver.remote(message, {})

    def wait(self, timeout_seconds: float) -> list[tuple[Worker, list[Message] | None]]:
        """See `Pool.wait`."""
        pending = {worker.pending: worker for worker in self._workers}
        ready, _ = self._ray.wait(list(pending), timeout=timeout_seconds)
        if not ready:
            self._require_placed()
            return []
        ready, _ = self._ray.wait(list(pending), num_returns=len(pending), timeout=0)
        return [event for each in ready for event in self._receive(pending[each])]

    def finish_trial(self, worker: Worker) -> None:
        """See `Pool.finish_trial`."""
        assert isinstance(worker, _Actor)
        worker.trial_id = worker.files = None
        if worker.trials >= TRIALS_A_WORKER:
            self.kill(worker)
            self.start()

    def kill(self, worker: Worker) -> None:
        """See `Pool.kill`."""
        assert isinstance(worker, _Actor)
        self._workers.remove(worker)
        with contextlib.suppress(self._ray.exceptions.RayError):  # the cluster itself may be gone
            self._ray.kill(worker.actor, no_restart=True)

    def close(self) -> None:
        """See `Pool.close`."""
        leaving = [worker.actor.leave.remote() for worker in self._workers if worker.placed]
        if leaving:
            self._ray.wait(leaving, num_returns=len(leaving), timeout=_LEAVE_SECONDS)
        for worker in list(self._workers):
            self.kill(worker)
        self._arguments = None  # the object store may let go of the data
        if self._owned:
            self._ray.shutdown()
            self._owned = False

    def _spawn(self) -> None:
        self._arguments = self._arguments or self._shared()
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if self._gpus == 0 else {}
        environment = {**worker_environment(self._plan.backend, self._threads), **hidden}
        made = self._ray.remote(RayWorker).options(
            num_cpus=self._threads,
            num_gpus=self._gpus,
            max_concurrency=2,  # one thread waits in `receive`, one delivers
            max_restarts=0,  # the oracle decides what becomes of a trial
            max_task_retries=0,
            runtime_env={"env_vars": environment},
        )
        actor = made.remote(*self._arguments)
        name = f"worker{self._started}"
        self._started += 1
        log = f"the worker's log under /tmp/ray/session_latest/logs on its node (actor {actor._actor_id.hex()})"
        self._workers.append(_Actor(name, log, placed=False, actor=actor, pending=actor.receive.remote()))

    def _shared(self) -> tuple[Any, ...]:
        """Arguments of every worker: the large ones are put once."""
        weights = self._plan.warm_weights
        warm = None if weights is None or not weights.exists() else weights.read_bytes()
        setup = {"plan": self._plan.to_json(), "threads": self._threads}
        project = pack(self._plan.root, self._plan.folder)
        return (setup, *(self._ray.put(each) for each in (project, warm, _in_memory(open_splits(self._plan.data)))))

    def _receive(self, worker: _Actor) -> list[tuple[Worker, list[Message] | None]]:
        try:
            message, files = self._ray.get(worker.pending)
        except self._ray.exceptions.RayError as error:
            return self._died(worker, error)
        worker.pending = worker.actor.receive.remote()
        if message["type"] == "placed":
            worker.placed, worker.since = True, time.monotonic()
            worker.node, worker.pid = message["node"], message["pid"]
            return []
        if worker.files is not None:
            worker.files.put(files)
        return [(worker, [message])]

    def _died(self, worker: _Actor, error: Any) -> list[tuple[Worker, list[Message] | None]]:
        if getattr(error, "actor_init_failed", False):  # our code is not there, say: it will not be there next time
            return [(worker, [{**broken(error), "error": str(error)}])]
        unreachable = isinstance(error, self._ray.exceptions.ActorUnavailableError)
        worker.blameless = unreachable or getattr(error, "preempted", False) or self._is_gone(worker.node)
        self.kill(worker)
        return [(worker, None)]

    def _is_gone(self, node: str) -> bool:
        return bool(node) and not any(each["Alive"] for each in self._ray.nodes() if each["NodeID"] == node)

    def _require_room(self) -> None:
        found = self._ray.cluster_resources()
        for name, wanted in (("CPU", float(self._threads)), ("GPU", self._gpus)):
            if wanted > found.get(name, 0.0):
                self.close()
                raise SearchError(
                    f"a worker wants {wanted:g} {name}s, and this machine has {found.get(name, 0.0):g}",
                    fix="Lower tune.threads or tune.ray_gpus, or name a cluster in tune.ray_address.",
                )

    def _require_placed(self) -> None:
        if any(worker.placed for worker in self._workers):
            self._since = time.monotonic()
        elif time.monotonic() - self._since > _PLACE_SECONDS:
            raise SearchError(
                f"no node of the Ray cluster had room for a worker of {self._threads} CPUs and {self._gpus:g} GPUs in "
                f"{_PLACE_SECONDS:.0f} s",
                fix="Add a node, end what else runs there, or lower tune.threads or tune.ray_gpus.",
            )


def _in_memory(splits: Splits) -> Splits:
    """Plain arrays: of `numpy.memmap` every reader would get a copy of its own."""
    parts = {name: _rows(rows) for name, rows in splits.parts.items()}
    slices = {name: np.asarray(mask) for name, mask in splits.slices.items()}
    return replace(splits, **parts, slices=slices)


def _rows(rows: Rows) -> Rows:
    inputs = {name: np.asarray(value) for name, value in rows.inputs.items()}
    return Rows(inputs, np.asarray(rows.labels), np.asarray(rows.times), np.asarray(rows.weights))
