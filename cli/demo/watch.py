"""Looks at the running loop while the stream flows: exporter, ledger, processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.progress import Progress, TaskID

from cli.demo.gauges import Reading, scrape
from cli.demo.processes import Processes
from cli.demo.timeline import Timeline
from cli.demo.traffic import Traffic
from evertune.errors import EvertuneError
from evertune.ledger import Ledger, RetuneJob

_TICK_SECONDS = 0.25
_READING_SECONDS = 1.0  # between scrapes
_PRINT_SECONDS = 8.0  # between printed readings


@dataclass
class Watch:
    """What was seen, tick by tick.

    Attributes:
        readings: Every scrape of the exporter.
        job: The newest re-tune job; None before there is one.
    """

    model: str
    ledger: Ledger
    processes: Processes
    traffic: Traffic
    timeline: Timeline
    progress: Progress
    bar: TaskID
    metrics_url: str
    readings: list[Reading] = field(default_factory=list)
    job: RetuneJob | None = None
    _printed_at: float = 0.0
    _requests_seen: int = 0

    def until(self, condition: Callable[[], bool], *, timeout_seconds: float) -> bool:
        """Ticks until `condition` holds.

        Returns:
            False where the time was over first.

        Raises:
            EvertuneError: A process, or the client, ended before its time.
        """
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.tick()
            time.sleep(_TICK_SECONDS)
        self.tick()
        return True

    def tick(self) -> None:
        """One look at everything."""
        self.processes.check()
        if not self.traffic.alive:
            raise EvertuneError("the demo's client ended before its time", fix="Read the traceback above.")
        self.progress.update(self.bar, completed=self.traffic.tally.sent)
        now = time.time()
        if not self.readings or now - self.readings[-1].at >= _READING_SECONDS:
            self._read(now)
        self._follow_ledger()

    def _read(self, now: float) -> None:
        reading = scrape(self.metrics_url, now)
        if reading is None:
            return
        self.readings.append(reading)
        if now - self._printed_at >= _PRINT_SECONDS:
            self._printed_at = now
            self.timeline.mark("/metrics", self.describe(reading), at=now)

    def describe(self, reading: Reading) -> str:
        """Live accuracy with its interval, and the evidence, of the champion, from one scrape."""
        champion = self.ledger.registry.champion(self.model)
        version = "" if champion is None else champion.digest[:12]
        where = {"model": self.model, "version": version, "window": "since_promotion", "source": "labelled"}
        value = reading.value("evertune_accuracy_ratio", **where)
        lower = reading.value("evertune_accuracy_lower_bound_ratio", **where)
        upper = reading.value("evertune_accuracy_upper_bound_ratio", **where)
        evidence = reading.value("evertune_drift_log10_evidence", model=self.model, version=version)
        threshold = reading.value("evertune_drift_log10_threshold", model=self.model, version=version)
        if value is None or lower is None or upper is None or evidence is None or threshold is None:
            return f"{version}: no labels yet"
        accuracy = f"{version}: accuracy {value:.3f} [{lower:.3f}, {upper:.3f}]"
        return f"{accuracy}, log10 evidence {evidence:.1f} of {threshold:.1f}"

    def _follow_ledger(self) -> None:
        requests = self.ledger.requests.list(self.model, 50)
        for request in sorted(requests, key=lambda each: each.id)[self._requests_seen :]:
            self.timeline.mark("re-tune asked for", f"by {request.trigger}", at=request.requested_at)
        self._requests_seen = len(requests)
        jobs = self.ledger.jobs.list(self.model, 1)
        if not jobs:
            return
        before, self.job = self.job, jobs[0]
        if before is None or (before.id, before.status, before.phase) != (self.job.id, self.job.status, self.job.phase):
            self.timeline.mark(f"job {self.job.id}", f"{self.job.status}, {self.job.phase}")
