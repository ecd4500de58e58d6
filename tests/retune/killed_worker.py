"""Decides and works in child after child, each killed at another write; run by test_kills.py.

`python killed_worker.py PROJECT CHALLENGER_DIGEST`; the last line is the number of children that were killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evertune.bundle import BundleStore
from evertune.ledger import Ledger
from evertune.ledger.database import Database
from evertune.settings import Project, load_project
from retune.challenger import Challenger, Order
from retune.decision import Decider
from retune.worker import Worker

_MOST_CHILDREN = 100


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(number: int, committed: bool) -> None:
    """Lets the `number`-th write of this process be its last, just before or just after its commit."""
    write, seen = Database.write, [0]

    @contextlib.contextmanager
    def counted(self: Database, order: str, *, durable: bool = True) -> Iterator[Any]:
        counts = threading.current_thread() is threading.main_thread()  # renewals of the lease come as they like
        seen[0] += counts
        last = counts and seen[0] == number
        with write(self, order, durable=durable) as connection:
            yield connection
            if last and not committed:
                die()
        if last:
            die()

    Database.write = counted  # type: ignore[method-assign]


def work(project: Project, digest: str, generation: int) -> None:
    """One child: all that `evertune retune` does, until the job has ended."""

    def build(order: Order, check: Callable[[], None]) -> Challenger:
        check()
        order.folder.mkdir(parents=True, exist_ok=True)
        if not (order.folder / "begun").exists():
            (order.folder / "begun").touch()
            die()
        return Challenger(digest, {"trial_id": "0000"}, 1)

    with Ledger.open(project.ledger_url) as ledger:
        while any(job.lease_expires_at > time.time() for job in ledger.jobs.list()):
            time.sleep(0.005)  # the killed one's lease: a claim in vain is a write, too, and must not be counted
        # Write 1 creates the job or claims it, 2 notes the claim, and 3 is the first one that is new: from generation
        # 4 on, each pair of children tries the job's next write, once before and once after its commit.
        kill_at(min(1 + generation // 2, 3), committed=generation % 2 == 1)
        decider = Decider(ledger, project.settings.retune)
        worker = Worker(project, ledger, BundleStore(project.bundle_url), build=build)
        while True:
            decider.step()
            jobs = ledger.jobs.list()
            if jobs and jobs[0].status not in ("pending", "running", "awaiting"):
                return
            if worker.run_once() is None:
                time.sleep(0.01)


def main() -> None:
    project, digest = load_project(Path(sys.argv[1])), sys.argv[2]
    for generation in range(_MOST_CHILDREN):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work(project, digest, generation)
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            print(generation)
            sys.exit(os.WEXITSTATUS(status))
    sys.exit("never done")


if __name__ == "__main__":
    main()
