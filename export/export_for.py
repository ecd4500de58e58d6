"""Export for the machine that will serve."""

from __future__ import annotations

from typing import Any

from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from export.cuda import export_for_cuda
from export.pipeline import export_model
from export.result import ExportResult


def export_for(
    model: Any, task: Task, splits: Splits, *, settings: ExportSettings, limits: LimitSettings, seed: int
) -> ExportResult:
    """`export_model` for the CPU of this machine, `export_for_cuda` where `settings.target` is "cuda".

    Args:
        model: Trained.
        task: Declares inputs and labels.
        splits: Calibration and validation rows are used.
        settings: Target, allowance, parity, threads.
        limits: What the model may cost.
        seed: As in `export_model`.

    Raises:
        ExportError: The model does not convert, does not fit the task, or no precision is within the limits.
    """
    if settings.target == "cuda":
        return export_for_cuda(model, task, splits, settings=settings, limits=limits)
    return export_model(model, task, splits, settings=settings, limits=limits, seed=seed)
