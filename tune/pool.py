"""What the scheduling loop asks of workers, wherever they run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tune.channel import Message

TRIALS_A_WORKER = 50
"""Then a fresh one takes over: whatever a framework leaks cannot add up."""


@dataclass
class Worker:
    """One process that trains one trial at a time, as the driver sees it.

    Attributes:
        name: "worker0"; a worker that replaces another has a name of its own.
        log: Where its standard output and error are, for a message.
        placed: It has a process. On Ray it waits for one until a node has room.
        pid: Of that process, on its machine; None before it is placed.
        ready: It has imported its framework and loaded the task.
        trial_id: In work.
        since: Monotonic seconds at which that began, or at which the process started.
        trials: Handed out to it so far.
        exit_code: Of a process that ended, where that is known; negative: the signal.
        blameless: It went with its node: whatever it worked on is not why.
    """

    name: str
    log: str
    placed: bool = True
    pid: int | None = None
    ready: bool = False
    trial_id: str | None = None
    since: float = field(default_factory=time.monotonic)
    trials: int = 0
    exit_code: int | None = None
    blameless: bool = False

    def takes(self, trial_id: str) -> None:
        """Notes that it works on a trial from now on."""
        self.trial_id, self.since, self.trials = trial_id, time.monotonic(), self.trials + 1


class Pool(Protocol):
    """Starts, feeds, replaces and ends workers. Used by one thread.

    What a worker sends: `ready`, or `broken` with `error` and `trace`; for each trial any number of `epoch`, of which
    each waits for an answer, `go` or `stop`; then `ended` with the record.
    """

    @property
    def workers(self) -> Sequence[Worker]:
        """Those that have not ended."""

    def start(self) -> None:
        """Starts as many as are missing; returns before they are ready."""

    def hand_out(self, worker: Worker, trial_id: str, message: Message) -> None:
        """Gives a trial, with the files that an earlier worker left of it, to a worker that is ready and idle."""

    def answer(self, worker: Worker, message: Message) -> None:
        """Sends; that the worker died meanwhile is found out by `wait`."""

    def wait(self, timeout_seconds: float) -> list[tuple[Worker, list[Message] | None]]:
        """Messages by worker; None for one that died, which is then no longer in the pool.

        When a message is returned, the files of its trial are as the worker had them when it sent it.

        Raises:
            SearchError: No worker can be placed.
        """

    def finish_trial(self, worker: Worker) -> None:
        """The worker is idle again, or retires after `TRIALS_A_WORKER`."""

    def kill(self, worker: Worker) -> None:
        """Ends a process at once and forgets it: nothing that it sent or wrote arrives any more."""

    def close(self) -> None:
        """Ends all."""
