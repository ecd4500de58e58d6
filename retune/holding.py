"""A job in the hands of one worker, for as long as its lease lasts."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from evertune.errors import JobError, LedgerError
from evertune.ledger import Ledger, RetuneJob


class LeaseLostError(Exception):
    """Another worker may have the job: nothing more may be done to it."""


class StoppedError(Exception):
    """The worker was asked to stop; the job goes on with the next one."""


class Holding:
    """Keeps a claimed job's lease alive from a thread, and lets its phases write to it.

    Use it as a context manager. Leaving it with the job unfinished gives the lease back, so that the next worker need
    not wait for it to run out.

    Args:
        ledger: Where the job is.
        job: As claimed.
        stop: Set when the worker shall end.
        lease_seconds: Of each renewal; a third of it passes between two.
    """

    def __init__(self, ledger: Ledger, job: RetuneJob, stop: threading.Event, lease_seconds: float) -> None:
        self.ledger = ledger
        self.job = job
        self._stop = stop
        self._lease_seconds = lease_seconds
        self._lost = threading.Event()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease of job {job.id}", daemon=True)

    def check(self) -> None:
        """Call it between steps, and while waiting.

        Raises:
            LeaseLostError: The lease is gone.
            StoppedError: The worker shall end.
        """
        if self._lost.is_set():
            raise LeaseLostError
        if self._stop.is_set():
            raise StoppedError

    def wait(self, seconds: float) -> None:
        """Waits, but not past a stop.

        Raises:
            LeaseLostError: The lease is gone.
            StoppedError: The worker shall end.
        """
        self._stop.wait(seconds)
        self.check()

    def update(self, *, phase: str | None = None, detail: Mapping[str, Any]) -> None:
        """Writes progress, in one transaction.

        Raises:
            LeaseLostError: The job is not ours any more.
        """
        try:
            self.job = self.ledger.jobs.update(self.job.id, self.job.lease_owner, phase=phase, detail=detail)
        except JobError as error:
            raise LeaseLostError from error

    def finish(self, status: Any, detail: Mapping[str, Any]) -> None:
        """Ends the job.

        Raises:
            LeaseLostError: The job is not ours any more.
        """
        try:
            self.job = self.ledger.jobs.finish(self.job.id, self.job.lease_owner, status, detail)
        except JobError as error:
            raise LeaseLostError from error

    def park(self, detail: Mapping[str, Any]) -> None:
        """Sets the job aside, and gives the lease back.

        Raises:
            LeaseLostError: The job is not ours any more.
        """
        try:
            self.job = self.ledger.jobs.park(self.job.id, self.job.lease_owner, detail)
        except JobError as error:
            raise LeaseLostError from error

    def _keep(self) -> None:
        expires = time.monotonic() + self._lease_seconds
        while not self._left.wait(self._lease_seconds / 3):
            asked = time.monotonic()
            try:
                if not self.ledger.jobs.renew(self.job.id, self.job.lease_owner, self._lease_seconds):
                    break
                expires = asked + self._lease_seconds
            except LedgerError:  # away for a moment, perhaps; but nobody may work past the lease
                if time.monotonic() >= expires:
                    break
        if not self._left.is_set():
            self._lost.set()

    def __enter__(self) -> Holding:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()
        if self.job.status == "running" and not self._lost.is_set():
            self.ledger.jobs.renew(self.job.id, self.job.lease_owner, 0.0)
