"""Asks a Prometheus what Grafana would ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from evertune.errors import EvertuneError
from monitoring.dashboards.span import Span

_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Series:
    """One series of an answer.

    Attributes:
        labels: By name.
        points: (seconds since the epoch, value), the oldest first.
    """

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Prometheus:
    """A running Prometheus.

    Args:
        url: Its address: "http://127.0.0.1:9090".
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def instant(self, expression: str, at: float) -> list[Series]:
        """Values at a time.

        Raises:
            EvertuneError: It does not answer, or refuses the expression.
        """
        result = self._get("query", {"query": expression, "time": str(at)})["result"]
        return [Series(each["metric"], _points([each["value"]])) for each in result]

    def range(self, expression: str, span: Span) -> list[Series]:
        """Values over a span, aligned to its step as Grafana aligns them; raises as `instant`."""
        step = span.step_seconds
        start, end = (at // step * step for at in (span.start, span.end))
        wanted = {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
        return [Series(each["metric"], _points(each["values"])) for each in self._get("query_range", wanted)["result"]]

    def label_values(self, metric: str, label: str, span: Span) -> list[str]:
        """Values that a label of a metric had in a span; raises as `instant`."""
        wanted = {"match[]": metric, "start": str(span.start), "end": str(span.end)}
        return [str(value) for value in self._get(f"label/{label}/values", wanted)]

    def _get(self, path: str, parameters: Mapping[str, str]) -> Any:
        try:
            response = httpx.get(f"{self._url}/api/v1/{path}", params=parameters, timeout=_TIMEOUT_SECONDS)
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise EvertuneError(f"no answer from Prometheus at {self._url}: {error}", fix="Is it running?") from error
        if answer.get("status") != "success":
            query = parameters.get("query", path)
            raise EvertuneError(f"Prometheus refuses {query!r}: {answer.get('error')}", fix="Correct the expression.")
        return answer["data"]


def _points(pairs: list[Any]) -> tuple[tuple[float, float], ...]:
    return tuple((float(at), float(value)) for at, value in pairs)
