"""The ledger as Prometheus sees it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError

from evertune.bundle import BundleStore
from evertune.clock import Clock, system_clock
from evertune.errors import LedgerError
from evertune.ledger import Ledger, Tenure
from monitoring.bundle_facts import BundleFacts
from monitoring.champion_samples import champion_samples, drift_samples
from monitoring.feature_drift import FeatureDrifts
from monitoring.label_samples import label_samples
from monitoring.retune_samples import retune_samples
from monitoring.samples import Sample, families
from monitoring.windows import Windows

_log = logging.getLogger(__name__)


class Progress(Protocol):
    """How the evaluation in this process goes.

    Attributes:
        errors: Evaluations that failed.
    """

    errors: int

    @property
    def evaluated_at(self) -> dict[str, float]:
        """When each model was evaluated last, seconds since the epoch."""


class LedgerCollector(Collector):
    """Aggregates in SQL, over indexes; what is older than an hour is kept for a minute, see `Windows`.

    For one process only: `prometheus_client`'s multiprocess mode has no collectors of one's own.

    Args:
        ledger: What is exposed.
        store: Where the champion's facts come from.
        progress: Of the evaluation in this process.
        clock: Seconds since the epoch.
    """

    def __init__(self, ledger: Ledger, store: BundleStore, progress: Progress, clock: Clock = system_clock) -> None:
        self._ledger = ledger
        self._facts = BundleFacts(store)
        self._windows = Windows()
        self._drifts = FeatureDrifts()
        self._progress = progress
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """All metrics. A ledger that does not answer is a figure too, not a failed scrape."""
        samples = list(self._progress_samples())
        try:
            samples += [sample for model in self._ledger.registry.models() for sample in self._model(model)]
            samples.append(Sample("evertune_monitor_ledger_up", 1))
        except (LedgerError, DBAPIError):
            _log.exception("the ledger does not answer")
            samples.append(Sample("evertune_monitor_ledger_up", 0))
        return families(samples)

    def refresh(self) -> None:
        """Does the slow part of the next scrapes; call it now and then from another thread.

        Raises:
            LedgerError: The ledger does not answer.
        """
        for model in self._ledger.registry.models():
            history = self._ledger.registry.history(model)
            digest, now = history[-1].digest, self._clock()
            with self._ledger.read() as connection:
                self._windows.refresh(connection, model, digest, now)
                self._drifts.refresh(connection, model, digest, Tenure.of(digest, history).since, now)

    def _progress_samples(self) -> Iterator[Sample]:
        yield Sample("evertune_monitor_errors_total", self._progress.errors)
        for model, at in dict(self._progress.evaluated_at).items():
            yield Sample("evertune_monitor_last_evaluation_timestamp_seconds", at, {"model": model})

    def _model(self, model: str) -> Iterator[Sample]:
        if model not in self._progress.evaluated_at:
            yield Sample("evertune_monitor_last_evaluation_timestamp_seconds", 0, {"model": model})
        yield Sample("evertune_retune_paused", self._ledger.pauses.current(model) is not None, {"model": model})
        records = self._ledger.detectors.list(model)
        champion = self._ledger.registry.champion(model)
        with self._ledger.read() as connection:
            yield from label_samples(connection, model, records)
            yield from retune_samples(connection, model)
            if champion is None:
                return
            record = next((each for each in records if each.digest == champion.digest), None)
            try:
                facts = self._facts.of(champion.digest)
            except Exception:  # whatever a remote store raises: the other figures must not be lost with these
                _log.exception("no figures for the champion of %s", model)
                return
            sums = self._windows.sums(connection, model, champion.digest, self._clock())
            yield from champion_samples(connection, champion, record, facts, sums)
            yield from drift_samples(champion, self._drifts.of(model, champion.digest))
