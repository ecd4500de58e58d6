"""Plots of a re-tune job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cli.reports.theme import ACCENT, PALE, SECOND, bars, figure
from evertune.ledger import RowLoss
from evertune.statistics import EDetector

_MOST_POINTS = 1500  # of a line
_ROLLING_ROWS = 100
_COLORS = (SECOND, ACCENT, PALE)


def evidence_path(losses: Sequence[RowLoss], evidence: Mapping[str, Any], state: Mapping[str, Any]) -> Any:
    """The evidence after each label, computed again from the losses that the detector took.

    Args:
        losses: Of the champion since it was deployed, in order of arrival.
        evidence: What the job noted.
        state: Of the detector: what it tested.
    """
    detector = EDetector(float(state["reference_loss"]), float(state["tolerance"]), float(state["run_length"]))
    path = []
    for each in losses:
        detector.update([each.loss])
        path.append(detector.log10_evidence)
    shown = _thinned(len(path), keep=evidence.get("alarm_at"))
    made = figure(title="Evidence of drift, label by label", x="labels since the champion was deployed", y="log10")
    made.add_scatter(x=[at + 1 for at in shown], y=[path[at] for at in shown], line_color=ACCENT, name="evidence")
    made.add_hline(y=evidence["log10_threshold"], line_dash="dash", line_color=PALE, annotation_text="alarm")
    if evidence["alarmed"]:
        made.add_vline(x=evidence["onset"], line_dash="dot", line_color=PALE, annotation_text="likely change")
        made.add_vline(x=evidence["alarm_at"], line_dash="dot", line_color=ACCENT, annotation_text="")
    return made.update_layout(showlegend=False)


def _thinned(count: int, keep: int | None) -> list[int]:
    step = max(1, count // _MOST_POINTS)
    return sorted({*range(0, count, step), *((keep - 1,) if keep is not None and keep <= count else ())})


def accuracy_path(rows: Mapping[str, Sequence[RowLoss]], marks: Mapping[str, float]) -> Any:
    """Rolling accuracy of labelled rows by the time of their prediction.

    Args:
        rows: Losses by the name of the model that predicted them.
        marks: Moments for vertical lines: name -> seconds since the epoch.
    """
    made = figure(title=f"Live accuracy, rolling over {_ROLLING_ROWS} labelled rows", y="share right")
    for (name, found), color in zip(rows.items(), _COLORS, strict=False):
        ordered = sorted(found, key=lambda each: each.predicted_at)
        width = min(_ROLLING_ROWS, len(ordered))
        if width == 0:
            continue
        mean = np.convolve([1 - each.loss for each in ordered], np.ones(width) / width, mode="valid")
        times = [_moment(each.predicted_at) for each in ordered[width - 1 :]]
        shown = _thinned(len(times), None)
        made.add_scatter(
            x=[times[at] for at in shown], y=[float(mean[at]) for at in shown], line_color=color, name=name
        )
    for place, (name, at) in enumerate(marks.items()):
        made.add_vline(x=_moment(at), line_dash="dot", line_color=PALE)
        made.add_annotation(
            x=_moment(at), y=1 - 0.07 * place, yref="paper", text=name, showarrow=False, xanchor="left", xshift=3
        )
    return made.update_yaxes(range=[0, 1.02])


def _moment(seconds: float) -> Any:
    """A local time without a zone: plotly draws what it is given."""
    from datetime import datetime

    return datetime.fromtimestamp(seconds)


def gate_test(gate: Mapping[str, Any]) -> Any:
    """The difference of losses with its interval, against the margin."""
    interval = gate["interval"]
    made = figure(title="Loss of the challenger minus loss of the champion, same rows", x="difference", height=190)
    values = [gate["difference"]]
    made.add_scatter(
        x=values,
        y=[""],
        error_x=bars([interval["lower"]], values, [interval["upper"]]),
        mode="markers",
        marker={"size": 12, "color": ACCENT},
        name="difference",
    )
    made.add_vline(x=gate.get("margin", 0.0), line_dash="dash", line_color=PALE, annotation_text="must be below")
    return made.update_layout(showlegend=False)


def recovery_points(report: Mapping[str, Any]) -> Any:
    """Accuracy before the change, until the swap, and since, with 95% intervals."""
    named = {
        "before the change": report.get("before"),
        "until the swap": report.get("during"),
        "since the swap": report.get("after"),
        "champion before, same rows": report.get("champion_before_on_same_rows"),
    }
    found = {name: each for name, each in named.items() if each and each["ratio"] is not None}
    values = [each["ratio"] for each in found.values()]
    ends = [[each["interval"][end] for each in found.values()] for end in ("lower", "upper")]
    made = figure(title="Recovery: share of rows right, 95% intervals", x="share right", height=290)
    made.add_scatter(
        x=values,
        y=list(found),
        error_x=bars(ends[0], values, ends[1]),
        mode="markers",
        marker={"size": 11, "color": SECOND},
        customdata=[each["rows"] for each in found.values()],
        hovertemplate="%{y}: %{x:.3f} on %{customdata} rows<extra></extra>",
    )
    return made.update_yaxes(autorange="reversed").update_xaxes(range=[0, 1.02])
