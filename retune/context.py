"""What every phase of a job works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evertune.bundle import BundleStore
from evertune.ledger import Ledger, RetuneJob
from evertune.settings import Project, RetuneSettings
from retune.challenger import Build
from retune.holding import Holding


@dataclass(frozen=True)
class Context:
    """One job on one worker.

    Attributes:
        project: Settings and folders.
        store: Bundles.
        holding: The job itself; writes go through it.
        build: Makes a challenger.
    """

    project: Project
    store: BundleStore
    holding: Holding
    build: Build

    @property
    def ledger(self) -> Ledger:
        """Where the job is."""
        return self.holding.ledger

    @property
    def job(self) -> RetuneJob:
        """As last written."""
        return self.holding.job

    @property
    def detail(self) -> dict[str, Any]:
        """What earlier phases left."""
        return self.holding.job.detail

    @property
    def settings(self) -> RetuneSettings:
        """`[retune]`."""
        return self.project.settings.retune

    def wait_until(self, condition: Callable[[], bool], patience_seconds: float) -> bool:
        """Polls until `condition` holds; patience counts from the phase's start, also over restarts.

        Returns:
            False where patience ended first.

        Raises:
            LeaseLostError: The lease is gone.
            StoppedError: The worker shall end.
        """
        deadline = float(self.detail["phase_entered_at"]) + patience_seconds
        while not condition():
            if self.ledger.clock() >= deadline:
                return False
            self.holding.wait(self.settings.poll_seconds)
        return True
