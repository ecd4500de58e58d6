"""Parallel coordinates of a search: an axis a hyperparameter, a line a trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from cli.reports.theme import figure, safe
from tune.record import TrialRecord

_ABSENT = -0.15  # where lines of trials pass that do not have the hyperparameter; real values lie in [0, 1]
_LOG_RATIO = 50  # of largest to smallest value, from which an axis is logarithmic


def parallel_coordinates(records: Sequence[TrialRecord]) -> Any:
    """Every trial with an accuracy; a line's colour is its accuracy.

    plotly's own axes know neither missing values nor texts nor logarithms, so each is laid out on [0, 1] here.

    Args:
        records: With a score or a rung metric.
    """
    names = list(dict.fromkeys(name for record in records for name in record.hyperparameters))
    varied = [name for name in names if len({str(each.hyperparameters.get(name)) for each in records}) > 1]
    accuracies = [_accuracy(record) for record in records]
    dimensions = [_dimension(name, [each.hyperparameters.get(name) for each in records]) for name in varied]
    dimensions.append({"label": "accuracy", "values": accuracies})
    line = {"color": accuracies, "colorscale": "Viridis"}
    trace = go.Parcoords(dimensions=dimensions, line=line, labelangle=-25, labelside="top", tickfont_size=10)
    made = figure(trace, title="Parallel coordinates", height=520)
    return made.update_layout(margin={"l": 90, "r": 30, "t": 130, "b": 30})


def _accuracy(record: TrialRecord) -> float:
    return float(record.score if record.score is not None else record.rung_metric or 0.0)


def _dimension(name: str, values: Sequence[Any]) -> dict[str, Any]:
    present = [value for value in values if value is not None]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in present)
    places, ticks = (_numbers if numeric and len(set(present)) > 1 else _choices)(present)
    if len(present) < len(values):
        ticks = [(_ABSENT, "absent"), *ticks]
    return {
        "label": safe(name),
        "range": [_ABSENT if len(present) < len(values) else 0.0, 1.0],
        "values": [_ABSENT if value is None else places(value) for value in values],
        "tickvals": [place for place, _ in ticks],
        "ticktext": [safe(text) for _, text in ticks],
    }


def _numbers(present: Sequence[float]) -> tuple[Any, list[tuple[float, str]]]:
    low, high = min(present), max(present)
    if low > 0 and high / low >= _LOG_RATIO:
        width = math.log(high / low)
        middle = math.sqrt(low * high)
        return (lambda value: math.log(value / low) / width), _three(low, middle, high)
    return (lambda value: (value - low) / (high - low)), _three(low, (low + high) / 2, high)


def _three(low: float, middle: float, high: float) -> list[tuple[float, str]]:
    return [(0.0, f"{low:.3g}"), (0.5, f"{middle:.3g}"), (1.0, f"{high:.3g}")]


def _choices(present: Sequence[Any]) -> tuple[Any, list[tuple[float, str]]]:
    texts = sorted({str(value) for value in present})
    place = {text: index / max(1, len(texts) - 1) for index, text in enumerate(texts)}
    return (lambda value: place[str(value)]), [(at, text) for text, at in place.items()]
