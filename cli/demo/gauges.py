"""Reads the exporter's `/metrics` as Prometheus would."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Reading:
    """One scrape.

    Attributes:
        at: Seconds since the epoch.
        samples: (sample name, labels, value) of every sample.
    """

    at: float
    samples: tuple[tuple[str, dict[str, str], float], ...]

    def value(self, name: str, **labels: str) -> float | None:
        """The value of the first sample of that name whose labels include `labels`; None where there is none."""
        for sample, found, value in self.samples:
            if sample == name and labels.items() <= found.items():
                return value
        return None


def scrape(url: str, at: float) -> Reading | None:
    """Scrapes `url`; None where the exporter does not answer."""
    try:
        response = httpx.get(url, timeout=5)
        response.raise_for_status()
    except httpx.HTTPError:
        return None
    families = text_string_to_metric_families(response.text)
    return Reading(at, tuple((s.name, dict(s.labels), s.value) for family in families for s in family.samples))
