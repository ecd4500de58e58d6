"""The demo's HTML report: one offline page with plots of what happened."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cli.demo.gauges import Reading
from cli.demo.timeline import Event
from cli.demo.traffic import Answer
from evertune.files import write_atomic

_ROLLING_ROWS = 200
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Evertune demo</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#222}}
table{{border-collapse:collapse}}td,th{{padding:.25rem .75rem;border-bottom:1px solid #ddd;text-align:left}}
td:first-child{{font-variant-numeric:tabular-nums}}</style>
<h1>Evertune: the loop, once around</h1>{body}</html>
"""


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
    figures = [_rolling(answers, start), _published(readings, start), _evidence(readings, start)]
    for figure in figures:
        for name, at in marks.items():
            figure.add_vline(x=at - start, line_dash="dot", annotation_text=name)
        figure.update_xaxes(title="seconds since the first request")
    figures.append(_confusion(confusion, labels))
    parts = [_table(("figure", "value"), list(summary.items()))]
    parts += [f'<h2>{title}</h2><img src="{html.escape(link)}" width="100%">' for title, link in pictures.items()]
    parts += [figure.to_html(full_html=False, include_plotlyjs=index == 0) for index, figure in enumerate(figures)]
    ordered = sorted(events, key=lambda event: event.at)
    rows = [(f"{event.at - start:.1f}", f"{event.what}: {event.detail}") for event in ordered]
    parts += ["<h2>Timeline</h2>", _table(("seconds", "event"), rows)]
    write_atomic(path, _PAGE.format(body="\n".join(parts)).encode())


def _rolling(answers: Sequence[Answer], start: float) -> Any:
    ordered = sorted(answers, key=lambda answer: answer.answered_at)
    correct = np.array([answer.correct for answer in ordered], float)
    width = max(1, min(_ROLLING_ROWS, len(correct)))
    mean = np.convolve(correct, np.ones(width) / width, mode="valid") if answers else correct
    times = [answer.answered_at - start for answer in ordered[width - 1 :]]
    figure = go.Figure(go.Scatter(x=times, y=mean, mode="lines"))
    return figure.update_layout(
        title=f"True accuracy, last {width} requests (the demo knows every truth)", yaxis_range=[0, 1]
    )


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
    figure = go.Figure()
    where = {"source": "labelled", "window": "since_promotion"}
    lower = _series(readings, "evertune_accuracy_lower_bound_ratio", start, **where)
    upper = _series(readings, "evertune_accuracy_upper_bound_ratio", start, **where)
    for version, (times, values) in _series(readings, "evertune_accuracy_ratio", start, **where).items():
        if version in lower and version in upper:
            band = lower[version][1] + upper[version][1][::-1]
            ends = lower[version][0] + upper[version][0][::-1]
            figure.add_scatter(x=ends, y=band, fill="toself", line_width=0, opacity=0.3, name=f"{version} 95%")
        figure.add_scatter(x=times, y=values, name=version)
    title = "Published accuracy since promotion, by version, with its confidence sequence"
    return figure.update_layout(title=title, yaxis_range=[0, 1])


def _evidence(readings: Sequence[Reading], start: float) -> Any:
    figure = go.Figure()
    for version, (times, values) in _series(readings, "evertune_drift_log10_evidence", start).items():
        figure.add_scatter(x=times, y=values, name=f"evidence {version}")
    for version, (times, values) in _series(readings, "evertune_drift_log10_threshold", start).items():
        figure.add_scatter(x=times, y=values, name=f"threshold {version}", line_dash="dash")
    return figure.update_layout(title="Drift evidence (log10) against its threshold")


def _confusion(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> Any:
    figure = go.Figure(go.Heatmap(z=confusion, x=labels, y=labels, texttemplate="%{z}", colorscale="Blues"))
    figure.update_layout(
        title="Winner of the search on its test rows: truth (rows) against prediction (columns)", height=600
    )
    return figure.update_yaxes(autorange="reversed")


def _table(header: tuple[str, str], rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td></tr>" for a, b in rows)
    return f"<table><tr><th>{header[0]}</th><th>{header[1]}</th></tr>{cells}</table>"
