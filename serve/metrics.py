"""The server's own Prometheus metrics, right across several workers, with a fixed number of series.

Labels come from closed sets: our own routes, status codes that we send, models that are served. A URL, an id or a name
that a client chose never becomes a label.

Observations collect in plain Python and go to prometheus_client's shared files a few times a second: an `observe`
there costs 3 us, which is a tenth of a request. What has not been written is lost when the process is killed.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter as Tally
from pathlib import Path

import numpy as np
import psutil
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from evertune.tensors import Array

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_CONFIDENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class Metrics:
    """All metrics of one worker.

    Args:
        registry: Where they are registered.
        shared: Folder that all workers of this server share (`PROMETHEUS_MULTIPROC_DIR`); None: one process.
    """

    def __init__(self, registry: CollectorRegistry, shared: Path | None = None) -> None:
        self._registry, self._shared = registry, shared
        self.swaps = Counter(
            "evertune_swaps", "Champions taken into service, or refused.", ["model", "outcome"], registry=registry
        )
        self.spool_bytes = Gauge(
            "evertune_spool_bytes",
            "Predictions answered but not in the ledger yet.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.queue_rows = Gauge(
            "evertune_queue_rows",
            "Rows that wait for the model.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.ready = Gauge(
            "evertune_ready",
            "1 where every worker has a model loaded, else 0.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._requests = Counter("evertune_requests", "Answers sent.", ["route", "status"], registry=registry)
        self._predictions = Counter("evertune_predictions", "Rows predicted.", ["model"], registry=registry)
        self._labels = Counter("evertune_labels", "Labels acknowledged.", registry=registry)
        self._seconds = Histogram(
            "evertune_request_seconds",
            "From the head of the request to the answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch_rows = Histogram(
            "evertune_batch_rows", "Rows a run of the model.", buckets=_ROWS, registry=registry
        )
        self._confidence = Histogram(
            "evertune_prediction_confidence_ratio",
            "Calibrated probability of each predicted row to be right.",
            ["model"],
            buckets=_CONFIDENCES,
            registry=registry,
        )
        self._dropped = Counter(
            "evertune_monitor_dropped",
            "Predicted rows that were refused with 503, not answered, because no record of them could be kept.",
            ["model"],
            registry=registry,
        )
        self._answered: Tally[tuple[str, int]] = Tally()
        self._durations: dict[str, list[float]] = {}
        self._predicted: Tally[str] = Tally()
        self._batches: list[int] = []
        self._confidences: dict[str, list[Array]] = {}
        self._labelled = 0

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Notes an answer."""
        self._answered[route, status] += 1
        self._durations.setdefault(route, []).append(seconds)

    def serving(self, model: str) -> None:
        """Makes the series of a model, at zero: an increase from nothing would go unseen."""
        for counter in (self._predictions, self._dropped, self._confidence):
            counter.labels(model)
        for outcome in ("swapped", "failed"):
            self.swaps.labels(model, outcome)

    def predicted(self, model: str, confidence: Array) -> None:
        """Notes a batch.

        Args:
            model: Name.
            confidence: Calibrated, shape (rows,).
        """
        self._predicted[model] += len(confidence)
        self._batches.append(len(confidence))
        self._confidences.setdefault(model, []).append(confidence)

    def dropped(self, model: str, rows: int) -> None:
        """Notes a batch that was predicted but may not be answered."""
        self._dropped.labels(model).inc(rows)

    def labelled(self, count: int) -> None:
        """Notes acknowledged labels."""
        self._labelled += count

    def flush(self) -> None:
        """Hands over what was noted."""
        answered, self._answered = self._answered, Tally()
        durations, self._durations = self._durations, {}
        predicted, self._predicted = self._predicted, Tally()
        batches, self._batches = self._batches, []
        confidences, self._confidences = self._confidences, {}
        for (route, status), count in answered.items():
            self._requests.labels(route, str(status)).inc(count)
        for route, seconds in durations.items():
            _observe_all(self._seconds.labels(route), _SECONDS, seconds)
        for model, rows in predicted.items():
            self._predictions.labels(model).inc(rows)
        for model, parts in confidences.items():
            values = np.concatenate(parts)
            _observe_all(self._confidence.labels(model), _CONFIDENCES, values[np.isfinite(values)].tolist())
        _observe_all(self._batch_rows, _ROWS, batches)
        self._labels.inc(self._labelled)
        self._labelled = 0

    def expose(self) -> bytes:
        """The text format, summed over the workers."""
        self.flush()
        if self._shared is None:
            return generate_latest(self._registry)
        _forget_dead(self._shared)
        merged = CollectorRegistry()
        MultiProcessCollector(merged, str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(merged)


def _observe_all(histogram: Histogram, bounds: tuple[float, ...], values: list[float] | list[int]) -> None:
    """What `observe` does for each value, with one write a bucket."""
    if not values:
        return
    for bucket, count in Tally(bisect_left(bounds, value) for value in values).items():
        histogram._buckets[bucket].inc(count)
    histogram._sum.inc(sum(values))


def _forget_dead(shared: Path) -> None:
    """Gauges of a worker that was killed must not count any more; its counters must."""
    for pid in {int(path.stem.rsplit("_", 1)[1]) for path in shared.glob("gauge_live*.db")}:
        if pid != os.getpid() and not psutil.pid_exists(pid):
            mark_process_dead(pid, str(shared))  # type: ignore[no-untyped-call]
