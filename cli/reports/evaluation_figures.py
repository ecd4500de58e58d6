"""Plots of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cli.reports.theme import ACCENT, PALE, SECOND, bars, figure, safe

_APART = 0.14  # of the two marks of a class
_TEXT_CLASSES = 20  # beyond, counts would overlap


def confusion(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Any:
    """Truth in rows, prediction in columns; coloured by the share of the truth's row, so that rare classes show."""
    matrix = np.asarray(counts, float)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    names = [safe(label) for label in labels]
    trace = go.Heatmap(
        z=[[None if value == 0 else value for value in row] for row in share.tolist()],  # the ground shows through
        x=names,
        y=names,
        customdata=matrix,
        text=[["" if count == 0 else f"{count:.0f}" for count in row] for row in matrix],
        texttemplate="%{text}" if len(labels) <= _TEXT_CLASSES else None,
        hovertemplate="%{y} taken for %{x}: %{customdata:.0f} rows, %{z:.1%} of its truth<extra></extra>",
        colorscale=[[0.0, "#dcefec"], [1.0, "#1f7a6f"]],  # opaque, so that plotly chooses a legible ink
        zmin=0,
        zmax=1,
        showscale=False,
        xgap=1,
        ygap=1,
    )
    made = figure(trace, title="Truth (rows) against prediction (columns)", x="prediction", y="truth", height=600)
    return made.update_yaxes(autorange="reversed", showgrid=False).update_xaxes(tickangle=-40, showgrid=False)


def class_scores(classes: Sequence[Mapping[str, Any]]) -> Any:
    """Precision and recall of each class with their 95% intervals."""
    names = [safe(f"{each['label']} ({each['support']})") for each in classes]
    made = figure(title="Precision and recall by class, 95% intervals", x="share", height=140 + 34 * len(names))
    for score, color, shift in (("precision", SECOND, -_APART), ("recall", ACCENT, _APART)):
        values, lower, upper = _ends([each[score] for each in classes])
        made.add_scatter(
            x=values,
            y=[place + shift for place in range(len(names))],
            error_x=bars(lower, values, upper),
            mode="markers",
            marker={"color": color, "size": 8},
            name=score,
        )
    made.update_yaxes(autorange="reversed", tickvals=list(range(len(names))), ticktext=names)
    return made.update_xaxes(range=[0, 1.02])


def reliability(bins: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """Accuracy over confidence; on the diagonal a model is as right as it says.

    Args:
        bins: `ReliabilityBin.to_json` of each set of rows, by the name of the set.
    """
    made = figure(title="Calibration: how often it was right, by what it said", x="confidence", y="share right")
    made.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": PALE, "dash": "dot"}, name="as it should be")
    for (name, found), color in zip(bins.items(), (ACCENT, SECOND, PALE), strict=False):
        values, lower, upper = _ends([each["accuracy"] for each in found])
        made.add_scatter(
            x=[each["confidence"] for each in found],
            y=values,
            error_y=bars(lower, values, upper),
            customdata=[each["rows"] for each in found],
            hovertemplate="said %{x:.3f}, right %{y:.3f}, %{customdata} rows<extra></extra>",
            mode="lines+markers",
            line={"color": color, "width": 1.5},
            marker_size=8,
            name=safe(name),
        )
    return made.update_xaxes(range=[0, 1.02]).update_yaxes(range=[0, 1.05])


def confidence_map(knots_x: Sequence[float], knots_y: Sequence[float]) -> Any:
    """From what the network says to the calibrated confidence."""
    made = figure(title="Confidence map", x="top probability of the network", y="calibrated confidence", height=340)
    made.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": PALE, "dash": "dot"}, name="unchanged")
    made.add_scatter(x=list(knots_x), y=list(knots_y), mode="lines", line_color=ACCENT, name="map")
    return made


def _ends(estimates: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float], list[float]]:
    values = [float(each["value"]) for each in estimates]
    lower = [float(each["interval"]["lower"]) for each in estimates]
    return values, lower, [float(each["interval"]["upper"]) for each in estimates]
