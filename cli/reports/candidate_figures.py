"""The picture of an export's candidates: what each precision costs and loses."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from cli.reports.theme import ACCENT, PALE, SECOND, bars, figure, safe
from cli.tables import kilobytes

_LARGEST, _SMALLEST = 34, 9  # pixels of a marker
_WRAP = 70  # letters of a line in a hover text

Candidate = Mapping[str, Any]


def candidate_picture(candidates: Sequence[Candidate], shipped: str, batch_rows: int = 1) -> Any:
    """Loss on validation rows over latency, area by size; None where fewer than two were measured.

    A quantized candidate's bars are the interval of the loss that it adds to FP32's on the same rows. The line joins
    those that no other beats in both. What does not ship is grey; its hover text says why.

    Args:
        candidates: As in an attestation; FP32 first.
        shipped: The recipe that ships.
        batch_rows: The batch whose latency decided.
    """
    batch = str(batch_rows)
    found = [each for each in candidates if each["accuracy"] is not None and each["latency_seconds"].get(batch)]
    if len(found) < 2:
        return None
    made = figure(
        title="Precisions: loss, latency and size",
        x=f"latency of {'one row' if batch_rows == 1 else f'{batch_rows} rows'}, milliseconds",
        y="loss on validation rows",
        height=460,
    )
    measured = [{**each, "milliseconds": _milliseconds(each, found[0], batch)} for each in found]
    made.add_trace(_front(measured))
    largest = max(each["size_bytes"] for each in measured)
    groups = {
        "ships": (ACCENT, [each for each in measured if each["recipe"] == shipped]),
        "could ship": (SECOND, [each for each in measured if each["recipe"] != shipped and not each["refused"]]),
        "does not ship": (PALE, [each for each in measured if each["recipe"] != shipped and each["refused"]]),
    }
    for name, (color, group) in groups.items():
        if group:
            made.add_trace(_markers(group, name, color, largest, measured[0]))
    return made


def front(measured: Sequence[Candidate]) -> list[Candidate]:
    """Those that no other beats in both loss and latency, the fastest first."""
    ordered = sorted(measured, key=lambda each: (each["milliseconds"], _loss(each)))
    found: list[Candidate] = []
    for each in ordered:
        if not found or _loss(each) < _loss(found[-1]):
            found.append(each)
    return found


def _front(measured: Sequence[Candidate]) -> Any:
    best = front(measured)
    return go.Scatter(
        x=[each["milliseconds"] for each in best],
        y=[_loss(each) for each in best],
        mode="lines",
        line={"color": SECOND, "dash": "dot", "width": 1},
        hoverinfo="skip",
        name="no other is both faster and more accurate",
    )


def _markers(group: Sequence[Candidate], name: str, color: str, largest: int, fp32: Candidate) -> Any:
    losses = [_loss(each) for each in group]
    ends = [_ends(each, fp32) for each in group]
    return go.Scatter(
        x=[each["milliseconds"] for each in group],
        y=losses,
        error_y={**bars([low for low, _ in ends], losses, [high for _, high in ends]), "color": color},
        text=[safe(each["recipe"]) for each in group],
        hovertext=[_hover(each) for each in group],
        hoverinfo="text",
        mode="markers+text",
        textposition="middle right",
        marker={
            "size": [_SMALLEST + (_LARGEST - _SMALLEST) * (each["size_bytes"] / largest) ** 0.5 for each in group],
            "color": color,
            "opacity": 0.85,
            "line_width": 0,
        },
        name=name,
    )


def _ends(each: Candidate, fp32: Candidate) -> tuple[float, float]:
    """Of the interval around FP32's loss plus what is added; FP32 itself has none."""
    difference = each["difference"]
    if difference is None:
        return _loss(each), _loss(each)
    return _loss(fp32) + difference["lower"], _loss(fp32) + difference["upper"]


def _loss(each: Candidate) -> float:
    return 1.0 - float(each["accuracy"])


def _milliseconds(each: Candidate, fp32: Candidate, batch: str) -> float:
    """From the paired ratio: medians of each alone may disagree with it on a busy machine."""
    ratio = (each.get("latency_ratio") or {}).get(batch)
    if ratio is None:
        return float(each["latency_seconds"][batch]) * 1e3
    return float(fp32["latency_seconds"][batch]) * float(ratio) * 1e3


def _hover(each: Candidate) -> str:
    difference = each["difference"]
    cost = f"{each['milliseconds']:.3g} ms, {kilobytes(each['size_bytes'])}"
    lines = [f"{each['recipe']}: loss {_loss(each):.4f}, {cost}"]
    if difference is not None:
        lines.append(f"loss added: {difference['lower']:+.4f} to {difference['upper']:+.4f} (95%)")
    if each["refused"]:
        lines += textwrap.wrap(f"does not ship: {each['refused']}", _WRAP)
    return "<br>".join(safe(line) for line in lines)
