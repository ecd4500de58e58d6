"""The Pareto picture: what accuracy costs in latency and size."""

from __future__ import annotations

from pathlib import Path

from tune.study import Study

_INK, _PALE, _ACCENT = "#1f2933", "#9aa5b1", "#c2410c"


def pareto_picture(study: Study, path: Path) -> Path:
    """Draws completed trials, accuracy over latency, area by size, and the front; pruned ones as small crosses.

    Args:
        study: With at least one completed trial.
        path: PNG file; its folder is created.

    Returns:
        `path`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # no pyplot: it keeps global state, and may want a screen

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    front = {record.trial_id for record in study.pareto}
    completed = [record for record in study.trials if record.state == "completed"]
    largest = max((record.size_bytes or 0 for record in completed), default=1)
    for record in completed:
        on_front = record.trial_id in front
        axes.scatter(
            (record.latency_seconds or 0) * 1e6,
            record.score or 0.0,
            s=30 + 270 * (record.size_bytes or 0) / largest,
            color=_ACCENT if on_front else _PALE,
            alpha=0.8,
            zorder=3 if on_front else 2,
        )
        axes.annotate(
            f"{record.trial_id} {record.recipe}",
            ((record.latency_seconds or 0) * 1e6, record.score or 0.0),
            textcoords="offset points",
            xytext=(8, 4),
            fontsize=7,
            color=_INK,
        )
    pruned = [each for each in study.trials if each.state == "pruned" and each.rung_metric is not None]
    axes.scatter(
        [(each.latency_seconds or 0.0) * 1e6 for each in pruned],
        [each.rung_metric or 0.0 for each in pruned],
        s=18,
        marker="x",
        color=_PALE,
        label="stopped early: accuracy of the training framework then",
    )
    line = sorted((each.latency_seconds or 0.0, each.score or 0.0) for each in study.pareto)
    axes.plot([latency * 1e6 for latency, _ in line], [score for _, score in line], color=_ACCENT, lw=1, zorder=1)
    axes.set_xlabel("latency of one row, microseconds (ONNX Runtime)")
    axes.set_ylabel("accuracy of the artifact on validation rows")
    axes.set_title(f"{len(completed)} scored trials of {len(study.trials)}; area: file size; red: no other beats it")
    if pruned:
        axes.legend(loc="lower right", fontsize=8, frameon=False)
    axes.margins(x=0.15, y=0.1)  # room for what is written beside the last point
    axes.grid(color="#e4e7eb", lw=0.6)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
    return path
