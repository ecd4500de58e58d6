"""From plain samples to what prometheus_client exposes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from monitoring.names import METRICS
from monitoring.tally import BOUNDS_SECONDS, Tally


@dataclass(frozen=True)
class Sample:
    """One figure.

    Attributes:
        name: A key of `METRICS`.
        value: A number, or the tally behind a histogram.
        labels: By name, all of the definition's.
    """

    name: str
    value: float | Tally
    labels: dict[str, str] = field(default_factory=dict)


def families(samples: Iterable[Sample]) -> Iterator[Metric]:
    """Groups samples by metric, as the text format demands.

    Raises:
        KeyError: A sample is not of `METRICS`, or lacks a label.
    """
    grouped: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        grouped[sample.name].append(sample)
    for name, found in grouped.items():
        yield _family(name, found)


def _family(name: str, samples: list[Sample]) -> Metric:
    definition = METRICS[name]
    if definition.kind == "histogram":
        histogram = HistogramMetricFamily(name, definition.help, labels=definition.labels)
        for sample in samples:
            assert isinstance(sample.value, Tally)  # the only value that METRICS gives to a histogram
            values = [sample.labels[label] for label in definition.labels]
            histogram.add_metric(values, _buckets(sample.value), sample.value.delay_sum_seconds)
        return histogram
    make = GaugeMetricFamily if definition.kind == "gauge" else CounterMetricFamily
    family = make(name, definition.help, labels=definition.labels)
    for sample in samples:
        assert not isinstance(sample.value, Tally)
        family.add_metric([sample.labels[label] for label in definition.labels], float(sample.value))
    return family


def _buckets(tally: Tally) -> list[tuple[str, float]]:
    """Cumulative counts by upper bound."""
    bounds = [*(str(bound) for bound in BOUNDS_SECONDS), "+Inf"]
    return list(zip(bounds, accumulate(tally.delay_counts), strict=True))
