"""From a trained model to the accuracy of the quantized artifact that would ship, for every search alike."""

from __future__ import annotations

from typing import Any

from benchmarks._real.task import EXPORT, LIMITS
from evertune.errors import ExportError
from evertune.task import Splits, Task
from export import export_model, measure_untrained


def artifact_score(model: Any, task: Task, splits: Splits) -> float | None:
    """Accuracy under ONNX Runtime on validation rows; None where nothing is within the limits."""
    try:
        result = export_model(model, task, splits, settings=EXPORT, limits=LIMITS, seed=0, quick=True)
    except ExportError:
        return None
    return result.chosen.accuracy


def is_feasible(model: Any, task: Task) -> bool:
    """Whether an untrained model is within the limits."""
    return measure_untrained(model, task, settings=EXPORT, limits=LIMITS).over is None
