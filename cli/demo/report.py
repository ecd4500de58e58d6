"""The demo's HTML report: one offline page with plots of what happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cli.demo.gauges import Reading
from cli.demo.timeline import Event
from cli.demo.traffic import Answer
from cli.reports.evaluation_figures import confusion as confusion_plot
from cli.reports.page import Page
from cli.reports.theme import ACCENT, PALE, SECOND, figure

_ROLLING_ROWS = 200
_COLORS = (SECOND, ACCENT, PALE)


def write_report(
    path: Path,
    *,
    summary: dict[str, str],
    answers: Sequence[Answer],
    readings: Sequence[Reading],
    events: Sequence[Event],
    marks: dict[str, float],
    confusion: Sequence[Sequence[int]],
    labels: Sequence[str],
    pictures: dict[str, str],
) -> None:
    """Writes the page.

    Args:
        path: Of the HTML file.
        summary: The figures of the verdict, by name.
        answers: Of the whole stream.
        readings: Scrapes of the exporter, in time order.
        events: The timeline.
        marks: Moments to draw as vertical lines: name -> seconds since the epoch.
        confusion: Of the search's winner on its test rows; rows are truths.
        labels: Class names.
        pictures: Title -> relative path of further pictures.
    """
    start = min((answer.answered_at for answer in answers), default=events[0].at)
    page = Page("Evertune: the loop, once around", "The demo: search, export, serve, drift, re-tune, swap, recovery.")
    page.section("Verdict")
    page.table(("figure", "value"), summary.items())
    page.section("What happened")
    for plot in (_rolling(answers, start), _published(readings, start), _evidence(readings, start)):
        for name, at in marks.items():
            plot.add_vline(x=at - start, line_dash="dot", line_color=PALE, annotation_text=name)
        page.plot(plot.update_xaxes(title="seconds since the first request"))
    page.section("The search")
    for title, link in pictures.items():
        page.text(title)
        page.picture(link, title)
    page.plot(confusion_plot(confusion, labels), "Winner of the search on its test rows.")
    page.section("Timeline")
    ordered = sorted(events, key=lambda event: event.at)
    page.table(("seconds", "event", "detail"), ((f"{each.at - start:.1f}", each.what, each.detail) for each in ordered))
    page.write(path)


def _rolling(answers: Sequence[Answer], start: float) -> Any:
    ordered = sorted(answers, key=lambda answer: answer.answered_at)
    correct = np.array([answer.correct for answer in ordered], float)
    width = max(1, min(_ROLLING_ROWS, len(correct)))
    mean = np.convolve(correct, np.ones(width) / width, mode="valid") if answers else correct
    times = [answer.answered_at - start for answer in ordered[width - 1 :]]
    made = figure(title=f"True accuracy, last {width} requests (the demo knows every truth)")
    made.add_scatter(x=times, y=mean, mode="lines", line_color=SECOND)
    return made.update_yaxes(range=[0, 1])


def _series(
    readings: Sequence[Reading], name: str, start: float, **labels: str
) -> dict[str, tuple[list[float], list[float]]]:
    """Times and values of one metric, a series a version."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for reading in readings:
        for sample, sample_labels, value in reading.samples:
            if sample == name and labels.items() <= sample_labels.items():
                times, values = found.setdefault(sample_labels.get("version", ""), ([], []))
                times.append(reading.at - start)
                values.append(value)
    return found


def _published(readings: Sequence[Reading], start: float) -> Any:
    made = figure(title="Published accuracy since promotion, by version, with its confidence sequence")
    where = {"source": "labelled", "window": "since_promotion"}
    lower = _series(readings, "evertune_accuracy_lower_bound_ratio", start, **where)
    upper = _series(readings, "evertune_accuracy_upper_bound_ratio", start, **where)
    found = _series(readings, "evertune_accuracy_ratio", start, **where)
    for place, (version, (times, values)) in enumerate(found.items()):
        color = _COLORS[place % len(_COLORS)]
        if version in lower and version in upper:
            band = lower[version][1] + upper[version][1][::-1]
            ends = lower[version][0] + upper[version][0][::-1]
            look = {"fill": "toself", "line_width": 0, "opacity": 0.3, "fillcolor": color, "mode": "lines"}
            made.add_scatter(x=ends, y=band, name=f"{version} 95%", **look)
        made.add_scatter(x=times, y=values, name=version, line_color=color)
    return made.update_yaxes(range=[0, 1])


def _evidence(readings: Sequence[Reading], start: float) -> Any:
    made = figure(title="Drift evidence (log10) against its threshold")
    for place, (version, (times, values)) in enumerate(
        _series(readings, "evertune_drift_log10_evidence", start).items()
    ):
        made.add_scatter(x=times, y=values, name=f"evidence {version}", line_color=_COLORS[place % len(_COLORS)])
    for version, (times, values) in _series(readings, "evertune_drift_log10_threshold", start).items():
        made.add_scatter(x=times, y=values, name=f"threshold {version}", line_dash="dash", line_color=PALE)
    return made
