"""Worker processes of this machine: each with one Keras backend, fixed before anything imports Keras."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tune.channel import Channel, Message
from tune.devices import visible_devices
from tune.plan import Plan
from tune.pool import TRIALS_A_WORKER, Worker
from tune.worker_environment import worker_environment

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(kw_only=True)
class _Process(Worker):
    process: subprocess.Popen[bytes]
    channel: Channel
    device: str | None


class ProcessPool:
    """See `Pool`. Driver and workers talk over socket pairs, and share the study's folder.

    Args:
        plan: What they work on.
        count: How many.
        threads: Of each; 0 shares the cores out among them.
        devices: GPUs, each worker sees one of them; None finds those of this machine.
    """

    def __init__(self, plan: Plan, count: int, *, threads: int = 0, devices: Sequence[str] | None = None) -> None:
        self._plan = plan
        self._count = count
        self._threads = threads or max(1, len(os.sched_getaffinity(0)) // count)
        self._devices = list(visible_devices() if devices is None else devices)
        self._started = 0
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Process] = []

    @property
    def workers(self) -> Sequence[_Process]:
        """See `Pool.workers`."""
        return self._workers

    def start(self) -> None:
        """See `Pool.start`."""
        while len(self._workers) < self._count:
            self._spawn()

    def hand_out(self, worker: Worker, trial_id: str, message: Message) -> None:
        """See `Pool.hand_out`."""
        worker.takes(trial_id)
        self.answer(worker, message)

    def answer(self, worker: Worker, message: Message) -> None:
        """See `Pool.answer`."""
        assert isinstance(worker, _Process)
        try:
            worker.channel.send(message)
        except OSError:
            return

    def wait(self, timeout_seconds: float) -> list[tuple[Worker, list[Message] | None]]:
        """See `Pool.wait`."""
        events: list[tuple[Worker, list[Message] | None]] = []
        for key, _ in self._selector.select(timeout_seconds):
            worker: _Process = key.data
            messages = worker.channel.receive()
            if messages is None:
                self.kill(worker)
            events.append((worker, messages))
        return events

    def finish_trial(self, worker: Worker) -> None:
        """See `Pool.finish_trial`."""
        worker.trial_id = None
        if worker.trials >= TRIALS_A_WORKER:
            self.kill(worker)
            self.start()

    def kill(self, worker: Worker) -> None:
        """See `Pool.kill`."""
        assert isinstance(worker, _Process)
        self._selector.unregister(worker.channel)
        self._workers.remove(worker)
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGKILL)
        worker.exit_code = worker.process.wait()
        worker.channel.close()

    def close(self) -> None:
        """See `Pool.close`."""
        for worker in list(self._workers):
            self.kill(worker)
        self._selector.close()

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        name, device = f"worker{self._started}", self._free_device()
        self._started += 1
        log = self._plan.folder / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        pinned = {} if device is None else {"CUDA_VISIBLE_DEVICES": device}
        with theirs, log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tune.worker", str(theirs.fileno())],
                cwd=_ROOT,
                env={**os.environ, **worker_environment(self._plan.backend, self._threads), **pinned},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        worker = _Process(name, str(log), pid=process.pid, process=process, channel=Channel(ours), device=device)
        self._workers.append(worker)
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        folder = str(Path.cwd())
        self.answer(worker, {"plan": self._plan.to_json(), "threads": self._threads, "working_folder": folder})

    def _free_device(self) -> str | None:
        """The one that the fewest workers have."""
        taken = [worker.device for worker in self._workers]
        return min(self._devices, key=taken.count, default=None)
