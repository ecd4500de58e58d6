"""Worker processes: each with one Keras backend, fixed before anything imports Keras."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tune.channel import Channel, Message
from tune.plan import Plan

_TRIALS_A_WORKER = 50  # then a fresh one takes over: whatever a framework leaks cannot add up
_ROOT = Path(__file__).resolve().parents[1]
_THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    "TF_NUM_INTRAOP_THREADS",  # TensorFlow has a pool of its own
)


@dataclass
class Worker:
    """One process, and what it does.

    Attributes:
        name: "worker0".
        process: The process.
        channel: To it.
        log: Its standard output and error.
        ready: It has imported its framework and loaded the task.
        trial_id: In work.
        since: Monotonic seconds at which that began, or at which the process started.
    """

    name: str
    process: subprocess.Popen[bytes]
    channel: Channel
    log: Path
    ready: bool = False
    trial_id: str | None = None
    since: float = field(default_factory=time.monotonic)
    trials: int = 0


class WorkerPool:
    """Starts, feeds, replaces and ends workers. Used by one thread.

    Args:
        plan: What they work on.
        count: How many, and so how the cores are shared.
    """

    def __init__(self, plan: Plan, count: int) -> None:
        self._plan = plan
        self._count = count
        self._started = 0
        self._selector = selectors.DefaultSelector()
        self.workers: list[Worker] = []

    def start(self) -> None:
        """Starts as many as are missing; returns before they are ready."""
        while len(self.workers) < self._count:
            self._spawn()

    def hand_out(self, worker: Worker, trial_id: str, message: Message) -> None:
        """Gives a trial to a worker that is ready and idle."""
        worker.trial_id, worker.since, worker.trials = trial_id, time.monotonic(), worker.trials + 1
        self.answer(worker, message)

    def answer(self, worker: Worker, message: Message) -> None:
        """Sends; that the worker died meanwhile is found out by `wait`."""
        try:
            worker.channel.send(message)
        except OSError:
            return

    def wait(self, timeout_seconds: float) -> list[tuple[Worker, list[Message] | None]]:
        """Messages by worker; None for one that died, which is then no longer in the pool."""
        events = []
        for key, _ in self._selector.select(timeout_seconds):
            worker: Worker = key.data
            messages = worker.channel.receive()
            if messages is None:
                self.kill(worker)
            events.append((worker, messages))
        return events

    def finish_trial(self, worker: Worker) -> None:
        """The worker is idle again, or retires."""
        worker.trial_id = None
        if worker.trials >= _TRIALS_A_WORKER:
            self.kill(worker)
            self.start()

    def kill(self, worker: Worker) -> None:
        """Ends a process at once and forgets it. Its exit code is in `worker.process.returncode`."""
        self._selector.unregister(worker.channel)
        self.workers.remove(worker)
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGKILL)
        worker.process.wait()
        worker.channel.close()

    def close(self) -> None:
        """Ends all."""
        for worker in list(self.workers):
            self.kill(worker)
        self._selector.close()

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        name = f"worker{self._started}"
        self._started += 1
        log = self._plan.folder / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        threads = max(1, len(os.sched_getaffinity(0)) // self._count)
        with theirs, log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tune.worker", str(theirs.fileno())],
                cwd=_ROOT,
                env=self._environment(threads),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        worker = Worker(name, process, Channel(ours), log)
        self.workers.append(worker)
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        self.answer(worker, {"plan": self._plan.to_json(), "threads": threads, "working_folder": str(Path.cwd())})

    def _environment(self, threads: int) -> dict[str, str]:
        fixed: dict[str, Any] = {
            "KERAS_BACKEND": self._plan.backend,
            "TF_CPP_MIN_LOG_LEVEL": "2",  # no notices about the processor
            **dict.fromkeys(_THREAD_VARIABLES, str(threads)),
        }
        # OpenMP spins while it waits: beside a server on the same cores that took five times the processor time.
        return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **fixed}
