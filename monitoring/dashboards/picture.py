"""Draws a dashboard from what its queries gave, panel by panel where Grafana would put them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from monitoring.dashboards.paint import COLOURS, FAINT, INK, KINDS, days
from monitoring.dashboards.reading import Answer, Reading

_COLUMN, _ROW, _HEAD = 0.58, 0.36, 1.0  # inches
_COLUMNS = 24
_GAP = 0.05
_DPI = 100
_NOTE = "drawn from query results, not a Grafana screenshot"


def draw(reading: Reading, path: Path) -> list[str]:
    """Writes a PNG.

    Args:
        reading: What the dashboard's queries gave.
        path: Of the picture.

    Returns:
        Titles of the panels that had nothing to show.
    """
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in reading.board["panels"])
    width, height = _COLUMNS * _COLUMN, rows * _ROW + _HEAD
    figure = Figure((width, height), dpi=_DPI, facecolor="#f1f3f5")
    _head(figure, reading, height)
    empty = []
    for panel in reading.board["panels"]:
        answers = [answer for answer in reading.answers if answer.panel is panel]
        axes = _place(figure, panel, width, height)
        if not any(answer.finite for answer in answers):
            empty.append(panel["title"])
            words = panel["fieldConfig"]["defaults"].get("noValue", "-")
            axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=10, color=FAINT)
            axes.axis("off")
            continue
        KINDS[panel["type"]](axes, panel, answers, reading.span)
        if panel["type"] == "timeseries":
            _mark(axes, reading.events, reading.span.step_seconds)
    figure.savefig(path, metadata={"Software": None})
    return empty


def _head(figure: Figure, reading: Reading, height: float) -> None:
    board, span = reading.board, reading.span
    first = 1 - 0.3 / height
    figure.text(0.008, first, board["title"], fontsize=17, weight="bold", color=INK, va="center")
    figure.text(0.992, first, _NOTE, fontsize=12, color=COLOURS["red"], ha="right", va="center", style="italic")
    times = [time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)) for at in (span.start, span.end)]
    shown = {each["name"]: each["label"] for each in board["templating"]["list"] if each.get("hide") != 2}
    choices = [
        f"{shown[name]}: {value.replace(chr(92), '')}" for name, value in reading.chosen.items() if name in shown
    ]
    words = "    ".join([*choices, f"{times[0]} to {times[1]} UTC"])
    figure.text(0.008, 1 - 0.68 / height, words, fontsize=10, color=FAINT, va="center")


def _place(figure: Figure, panel: Mapping[str, Any], width: float, height: float) -> Axes:
    """The panel's box and title, and axes within it."""
    place = panel["gridPos"]
    left, wide = place["x"] * _COLUMN + _GAP, place["w"] * _COLUMN - 2 * _GAP
    high = place["h"] * _ROW - 2 * _GAP
    bottom = height - _HEAD - place["y"] * _ROW - _GAP - high
    box = (left / width, bottom / height)
    figure.add_artist(
        Rectangle(box, wide / width, high / height, facecolor="white", edgecolor="#dee2e6", linewidth=0.8, zorder=-1)
    )
    figure.text(
        (left + 0.1) / width,
        (bottom + high - 0.17) / height,
        panel["title"],
        fontsize=9.5,
        weight="bold",
        color=INK,
        va="center",
    )
    west, south, east, north = _margins(panel)
    inner = (left + west, bottom + south, wide - west - east, high - south - north)
    return figure.add_axes((inner[0] / width, inner[1] / height, inner[2] / width, inner[3] / height))


def _margins(panel: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Inches left, below, right and above for ticks, names and legend."""
    if panel["type"] == "timeseries":
        return 0.62, 0.72, 0.15, 0.4
    if panel["type"] == "heatmap":
        return 0.62, 0.3, 0.15, 0.4
    if panel["type"] in ("bargauge", "state-timeline"):
        return 1.7, 0.3, 0.15, 0.4
    return 0.1, 0.05, 0.1, 0.35


def _mark(axes: Axes, events: Sequence[Answer], step_seconds: float) -> None:
    """Annotations: a dashed line where one begins, shaded while it lasts."""
    for event in events:
        colour = COLOURS[event.panel["iconColor"]]
        for series in event.series:
            for first, last in _stretches([at for at, _ in series.points], step_seconds):
                begin, end = days([first, last])
                axes.axvspan(begin, end, color=colour, alpha=0.10, linewidth=0, zorder=0)
                axes.axvline(begin, color=colour, linewidth=0.9, linestyle=(0, (3, 3)), zorder=1)


def _stretches(times: Sequence[float], step_seconds: float) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for at in times:
        if found and at - found[-1][1] <= 1.5 * step_seconds:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found
