"""Paints one panel from the answers to its queries, much as Grafana would, with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter, MaxNLocator

from evertune.tensors import Array
from monitoring.dashboards.prometheus import Series
from monitoring.dashboards.reading import Answer
from monitoring.dashboards.span import Span
from monitoring.dashboards.units import text

COLOURS = {"green": "#2f9e44", "orange": "#e8890c", "red": "#d6336c", "blue": "#1c6fd1"}
INK, FAINT, GRID = "#24292e", "#6b7280", "#e5e7eb"
_PALETTE = (
    "#1c6fd1",
    "#e8890c",
    "#2f9e44",
    "#d6336c",
    "#7048e8",
    "#0c8599",
    "#a8710a",
    "#868e96",
    "#c2255c",
    "#5c940d",
)
_MOST_NAMES = 10  # in a legend; Grafana would scroll
_DAY_SECONDS = 86_400.0

Paint = Callable[[Axes, Mapping[str, Any], Sequence[Answer], Span], None]


def lines(axes: Axes, panel: Mapping[str, Any], answers: Sequence[Answer], span: Span) -> None:
    """Lines or stacked bars over time, with thresholds as dashed lines."""
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    looks = {each["matcher"]["options"]: each["properties"] for each in panel["fieldConfig"].get("overrides", [])}
    named = [(answer.name(series), series) for answer in answers for series in answer.series]
    _frame(axes, panel, span)
    if custom.get("drawStyle") == "bars":
        _stack(axes, named, span)
    else:
        _band(axes, named, looks, span)
        for index, (name, series) in enumerate(each for each in named if each[0] not in looks):
            at, values = _steps(series, span)
            axes.plot(at, values, color=_PALETTE[index % len(_PALETTE)], linewidth=1.6, label=name)
    low, high = axes.get_ylim()
    low = panel["fieldConfig"]["defaults"].get("min", low)
    axes.set_ylim(low, high if high > low else low + 1)
    _thresholds(axes, panel)
    _legend(axes)


def number(axes: Axes, panel: Mapping[str, Any], answers: Sequence[Answer], _span: Span) -> None:
    """One large figure."""
    value, defaults = _last(answers[0].series[0]), panel["fieldConfig"]["defaults"]
    words = text(value, defaults["unit"], defaults.get("decimals"))
    axes.text(0.5, 0.42, words, ha="center", va="center", fontsize=23, color=_colour(panel, value), weight="bold")
    axes.axis("off")


def bars(axes: Axes, panel: Mapping[str, Any], answers: Sequence[Answer], _span: Span) -> None:
    """Horizontal bars with their figures."""
    defaults = panel["fieldConfig"]["defaults"]
    named = [(answer.name(series), _last(series)) for answer in answers for series in answer.series][::-1]
    values = [value for _, value in named]
    longest = defaults.get("max") or max([*values, 0]) or 1
    axes.barh(range(len(named)), longest, color="#f1f3f5", height=0.7)
    axes.barh(range(len(named)), values, color=[_colour(panel, value) for value in values], height=0.7)
    for row, value in enumerate(values):
        words = text(value, defaults["unit"], defaults.get("decimals"))
        axes.text(longest * 1.02, row, words, va="center", fontsize=8, color=INK)
    axes.set_yticks(range(len(named)), [name for name, _ in named], fontsize=8, color=INK)
    axes.set_xlim(0, longest * 1.2)
    axes.set_ylim(-0.6, max(len(named), 3) - 0.4)
    axes.set_xticks([])
    _no_spines(axes)
    axes.tick_params(length=0)


def heat(axes: Axes, panel: Mapping[str, Any], answers: Sequence[Answer], span: Span) -> None:
    """Counts by bucket and time; Prometheus gives cumulative buckets."""
    series = sorted(answers[0].series, key=lambda each: float(each.labels["le"]))
    times = sorted({at for each in series for at, _ in each.points})
    cumulative = np.array([[dict(each.points).get(at, math.nan) for at in times] for each in series])
    counts = np.diff(np.nan_to_num(cumulative), axis=0, prepend=0).clip(min=0)
    edges = np.append(days(times), days([times[-1] + span.step_seconds]))
    shown = np.ma.masked_where(counts < 1e-9, counts)
    _frame(axes, panel, span)
    axes.pcolormesh(edges, np.arange(len(series) + 1), shown, cmap="Blues", vmin=-0.15 * float(counts.max() or 1))
    unit = panel["fieldConfig"]["defaults"]["unit"]
    names = [_bucket(each.labels["le"], unit) for each in series[:-1]]  # the last has no upper bound
    every = math.ceil(len(names) / 7)
    axes.set_yticks(np.arange(1, len(names) + 1)[::every], names[::every], fontsize=7.5)
    axes.set_ylim(0, len(series))


def timeline(axes: Axes, panel: Mapping[str, Any], answers: Sequence[Answer], span: Span) -> None:
    """A row a series, filled where it is not 0."""
    named = [(answer.name(series), series) for answer in answers for series in answer.series][::-1]
    _frame(axes, panel, span)
    for row, (_, series) in enumerate(named):
        on = [at for at, value in series.points if value]
        axes.barh([row] * len(on), span.step_seconds / _DAY_SECONDS, left=days(on), height=0.7, color=_PALETTE[0])
    axes.set_yticks(range(len(named)), [name for name, _ in named], fontsize=8)
    axes.set_ylim(-0.6, len(named) - 0.4)


def table(axes: Axes, panel: Mapping[str, Any], answers: Sequence[Answer], _span: Span) -> None:
    """A row a label set, a column a query."""
    looks = {
        each["matcher"]["options"]: {item["id"]: item["value"] for item in each["properties"]}
        for each in panel["fieldConfig"]["overrides"]
    }
    keys = sorted({tuple(sorted(series.labels.items())) for answer in answers for series in answer.series})
    labels = [name for name, _ in keys[0]]
    head = [*labels, *(answer.legend for answer in answers)]
    places = np.linspace(0.01, 0.99, len(head) + 1)[:-1]
    for place, name in zip(places, head, strict=True):
        axes.text(place, 0.97, name, fontsize=9, color=FAINT, va="top", weight="bold")
    for row, key in enumerate(keys):
        height = 0.97 - 0.17 * (row + 1)
        cells = [(value, INK) for _, value in key] + [_cell(answer, dict(key), looks) for answer in answers]
        for place, (words, colour) in zip(places, cells, strict=True):
            axes.text(place, height, words, fontsize=9.5, color=colour, va="top")
    axes.axis("off")


KINDS: Mapping[str, Paint] = {
    "timeseries": lines,
    "stat": number,
    "bargauge": bars,
    "heatmap": heat,
    "state-timeline": timeline,
    "table": table,
}


def _cell(answer: Answer, key: Mapping[str, str], looks: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    series = next((each for each in answer.series if each.labels == key), None)
    if series is None:
        return "-", FAINT
    look, value = looks[answer.legend], _last(series)
    steps = look.get("thresholds", {}).get("steps", [])
    return text(value, look["unit"]), _step_colour(steps, value) if steps else INK


def _stack(axes: Axes, named: Sequence[tuple[str, Series]], span: Span) -> None:
    times = sorted({at for _, series in named for at, _ in series.points})
    bottom = np.zeros(len(times))
    for index, (name, series) in enumerate(named):
        found = dict(series.points)
        values = np.nan_to_num(np.array([found.get(at, 0.0) for at in times]))
        width = span.step_seconds / _DAY_SECONDS
        axes.bar(days(times), values, width, bottom, color=_PALETTE[index % len(_PALETTE)], label=name)
        bottom += values


def _band(axes: Axes, named: Sequence[tuple[str, Series]], looks: Mapping[str, Any], span: Span) -> None:
    edges = {name: _steps(series, span) for name, series in named if name in looks}
    for upper, properties in looks.items():
        lower = next((each["value"] for each in properties if each["id"] == "custom.fillBelowTo"), None)
        if lower in edges and upper in edges:
            (at, low), (upper_at, high) = edges[lower], edges[upper]
            high = np.interp(at, upper_at, high) if len(at) != len(upper_at) else high
            axes.fill_between(at, low, high, color=_PALETTE[0], alpha=0.15, linewidth=0, label="95% interval")


def _steps(series: Series, span: Span) -> tuple[Array, Array]:
    """Points, with a gap where Prometheus had none."""
    at = np.array([at for at, _ in series.points])
    values = np.array([value if math.isfinite(value) else math.nan for _, value in series.points])
    holes = np.flatnonzero(np.diff(at) > 1.5 * span.step_seconds) + 1
    return days(np.insert(at, holes, at[holes - 1] + 1e-3)), np.insert(values, holes, math.nan)


def _frame(axes: Axes, panel: Mapping[str, Any], span: Span) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    axes.set_xlim(*days([span.start, span.end]))
    locator = AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]  # of matplotlib
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: text(round(value, 12), defaults["unit"])))
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=7.5, colors=FAINT, length=0)
    _no_spines(axes)


def _thresholds(axes: Axes, panel: Mapping[str, Any]) -> None:
    """Dashed lines, where they are within sight."""
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    if custom.get("thresholdsStyle", {}).get("mode") != "dashed":
        return
    low, high = axes.get_ylim()
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]:
        if step["value"] <= 4 * high or low == high:
            axes.axhline(step["value"], color=COLOURS[step["color"]], linewidth=1, linestyle=(0, (4, 3)))
            high = max(high, step["value"] * 1.08)
    axes.set_ylim(low, high)


def _legend(axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    handles, names = handles[:_MOST_NAMES], names[:_MOST_NAMES]
    longest = max(map(len, names), default=1)
    columns = max(1, min(5, int(axes.get_window_extent().width / (longest * 5.2 + 34))))
    axes.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.09),
        ncols=columns,
        fontsize=7.5,
        frameon=False,
        labelcolor=INK,
        handlelength=1.2,
        columnspacing=1.2,
    )


def _colour(panel: Mapping[str, Any], value: float) -> str:
    return _step_colour(panel["fieldConfig"]["defaults"]["thresholds"]["steps"], value)


def _step_colour(steps: Sequence[Mapping[str, Any]], value: float) -> str:
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return COLOURS[reached[-1]]


def _last(series: Series) -> float:
    return next((value for _, value in reversed(series.points) if math.isfinite(value)), math.nan)


def _bucket(bound: str, unit: str) -> str:
    return text(float(bound), unit)


def days(times: Sequence[float] | Array) -> Array:
    """Matplotlib's days since the epoch, in UTC, of seconds since the epoch."""
    return np.asarray(times, np.float64) / _DAY_SECONDS


def _no_spines(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
