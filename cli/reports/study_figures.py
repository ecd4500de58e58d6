"""Plots of a search."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from cli.reports.theme import ACCENT, PALE, SECOND, figure, safe
from cli.tables import hyperparameters
from tune.curves import Curves
from tune.importances import Importances
from tune.record import TrialRecord
from tune.study import Study

_LARGEST, _SMALLEST = 34, 9  # pixels of a marker


def pareto(study: Study) -> Any:
    """Accuracy over latency of what would ship, area by size; what no other beats in accent colour."""
    front = study.pareto
    names = {record.trial_id for record in front}
    others = [each for each in study.trials if each.state == "completed" and each.trial_id not in names]
    made = figure(
        title="What would ship: accuracy, latency and size of each scored trial",
        x="latency of one row, microseconds",
        y="accuracy on validation rows",
    )
    largest = max((record.size_bytes or 0 for record in study.trials), default=0) or 1
    made.add_trace(_markers(others, "beaten by another", PALE, largest))
    made.add_trace(_markers(front, "no other beats it in all three", ACCENT, largest))
    return made


def _markers(records: list[TrialRecord], name: str, color: str, largest: int) -> Any:
    sizes = [_SMALLEST + (_LARGEST - _SMALLEST) * ((each.size_bytes or 0) / largest) ** 0.5 for each in records]
    return go.Scatter(
        x=[(each.latency_seconds or 0.0) * 1e6 for each in records],
        y=[each.score for each in records],
        text=[each.trial_id for each in records],
        hovertext=[_hover(each) for each in records],
        hoverinfo="text",
        mode="markers+text",
        textposition="top center",
        marker={"size": sizes, "color": color, "opacity": 0.85, "line_width": 0},
        name=name,
    )


def _hover(record: TrialRecord) -> str:
    size = f"{(record.size_bytes or 0) / 1e3:.0f} kB"
    head = f"trial {record.trial_id}: {record.score:.4f}, {record.recipe}, {size}" if record.score else ""
    values = "<br>".join(safe(f"{name} = {value}") for name, value in record.hyperparameters.items())
    return f"{safe(head)}<br>{values}"


def curves(study: Study, found: Curves) -> Any:
    """Validation accuracy by epoch; completed trials in colour, those stopped early pale."""
    made = figure(title="Learning curves", x="epoch", y="accuracy, by the training framework")
    best = study.best().trial.trial_id if any(each.state == "completed" for each in study.trials) else None
    for record in study.trials:
        epochs = found.get(record.trial_id, {})
        if epochs:
            made.add_trace(_curve(record, epochs, best=record.trial_id == best))
    made.update_xaxes(dtick=1 if max((len(each) for each in found.values()), default=0) <= 12 else None)
    return made.update_layout(showlegend=False)


def _curve(record: TrialRecord, epochs: dict[int, float], *, best: bool) -> Any:
    color = ACCENT if best else SECOND if record.state == "completed" else PALE
    label = f"trial {record.trial_id}, {record.state}<br>{safe(hyperparameters(record.hyperparameters))[:300]}"
    return go.Scatter(
        x=list(epochs),
        y=list(epochs.values()),
        mode="lines+markers",
        line={"color": color, "width": 3 if best else 1.5},
        marker_size=6 if best else 4,
        name=f"trial {record.trial_id}",
        hovertemplate=f"{label}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
    )


def importance_bars(found: Importances) -> Any:
    """Shares of the variance that each hyperparameter explains, the largest on top."""
    names = [safe(name) for name in found.shares]
    trace = go.Bar(x=list(found.shares.values()), y=names, orientation="h", marker_color=ACCENT)
    title = f"Importance for {found.of} (fANOVA), {found.trials} trials"
    made = figure(trace, title=title, x="share of the variance that it explains", height=130 + 26 * len(names))
    return made.update_yaxes(autorange="reversed")
