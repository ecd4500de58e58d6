"""Export for the machine that will serve."""

from __future__ import annotations

from typing import Any

from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from export.pipeline import export_model
from export.presence import is_here
from export.result import ExportResult
from export.unmeasured import export_unmeasured


def export_for(
    model: Any, task: Task, splits: Splits, *, settings: ExportSettings, limits: LimitSettings, seed: int
) -> ExportResult:
    """`export_model` where `settings.target` is on this machine, else `export_unmeasured`.

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
    if is_here(settings.target):
        return export_model(model, task, splits, settings=settings, limits=limits, seed=seed)
    return export_unmeasured(model, task, splits, settings=settings, limits=limits)
