"""What the queries of a dashboard give."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.dashboards.prometheus import Prometheus, Series
from monitoring.dashboards.span import Span
from monitoring.dashboards.variables import choose, interpolate

_FIELD = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Answer:
    """Of one query.

    Attributes:
        panel: JSON of the panel, or of the annotation.
        ref: Of the query within its panel; empty for an annotation.
        expression: As it was sent.
        legend: Template of the names.
        series: What came back.
    """

    panel: Mapping[str, Any]
    ref: str
    expression: str
    legend: str
    series: tuple[Series, ...]

    @property
    def finite(self) -> bool:
        """Whether there is at least one number."""
        return any(math.isfinite(value) for series in self.series for _, value in series.points)

    def name(self, series: Series) -> str:
        """Name of a series, as in the legend."""
        if self.legend in ("", "__auto"):
            return str(self.panel["title"])
        return _FIELD.sub(lambda match: series.labels.get(match[1], ""), self.legend)


@dataclass(frozen=True)
class Reading:
    """All that a dashboard shows.

    Attributes:
        board: Its JSON.
        span: Its time range.
        chosen: Variables and macros as they stood in the queries.
        answers: Of all panels, in their order.
        events: Of all annotations.
    """

    board: Mapping[str, Any]
    span: Span
    chosen: Mapping[str, str]
    answers: tuple[Answer, ...]
    events: tuple[Answer, ...]


def read(
    board: Mapping[str, Any], prometheus: Prometheus, span: Span, wanted: Mapping[str, str] | None = None
) -> Reading:
    """Runs every query of a dashboard.

    Args:
        board: JSON, as Grafana would load it.
        prometheus: Asked.
        span: Time range.
        wanted: Values of variables, by name.

    Raises:
        EvertuneError: Prometheus does not answer, refuses a query, or a query names an unknown variable.
    """
    chosen = choose(board, prometheus, span, wanted)
    answers = tuple(_answers(board, prometheus, span, chosen))
    events = []
    for annotation in board["annotations"]["list"]:
        expression = interpolate(str(annotation["expr"]), chosen)
        series = tuple(prometheus.range(expression, span))
        events.append(Answer(annotation, "", expression, "", series))
    return Reading(board, span, chosen, answers, tuple(events))


def _answers(
    board: Mapping[str, Any], prometheus: Prometheus, span: Span, chosen: Mapping[str, str]
) -> Iterator[Answer]:
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            expression = interpolate(str(target["expr"]), chosen)
            instant = bool(target.get("instant"))
            series = prometheus.instant(expression, span.end) if instant else prometheus.range(expression, span)
            yield Answer(panel, str(target["refId"]), expression, str(target.get("legendFormat", "")), tuple(series))
