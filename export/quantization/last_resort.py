"""What is left where INT8 would be fast enough and costs too much accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evertune.errors import ExportError
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from export.candidate import Candidate
from export.choose import gains, too_slow
from export.converters import converter_for
from export.converters.source import Source
from export.quantization.aware import fine_tuned
from export.quantization.fold import optimise
from export.quantization.samples import samples_of
from export.quantization.student import student_of
from export.recipes import Recipe, aware, recipe_named


def last_resort(candidates: Sequence[Candidate], settings: ExportSettings, limits: LimitSettings) -> Recipe | None:
    """The recipe to fine-tune for: the fastest static one that would ship if it cost less accuracy.

    One that had nodes returned to FP32 counts: it was fast enough before. Asks `risk`, not the validation rows: they
    judge what is fine-tuned together with the rest, in one sequence (docs/adr/0007).

    Args:
        candidates: FP32 first, measured, not judged.
        settings: The allowance.
        limits: Batch, its latency, and size.

    Returns:
        None where one will probably ship as it is, or none was fast enough.
    """
    others = candidates[1:]
    if any(gains(each, limits) and each.risk <= settings.allowance_ratio for each in others):
        return None
    short = [each for each in others if _is_short(each, settings, limits)]
    short.sort(key=lambda candidate: max(candidate.latency_ratio.values()))
    recipes = [recipe_named(candidate.recipe) for candidate in short]
    return next((aware(recipe) for recipe in recipes if recipe.method == "static"), None)


def retrained(model: Any, task: Task, splits: Splits, source: Source, *, seed: int) -> bytes | None:
    """The model as ONNX in FP32 with weights that survive rounding; the model itself keeps its own.

    Args:
        model: What `source` was converted from.
        task: Declares inputs and labels.
        splits: Training rows, of which no label is looked at, and calibration rows.
        source: Of the model.
        seed: Of the order of rows.

    Returns:
        None where the model cannot be trained, all its weights are frozen, or its own exporter fails and another route
        made `source`.
    """
    student = student_of(source.predict)
    if student is None:
        return None
    try:
        with fine_tuned(student, splits.train.inputs, samples_of(splits.calibration), seed=seed):
            # In one file: what lies in two has no candidates to mend.
            content = converter_for(model).convert(model, task.signature, kind=task.kind).model_bytes
        return optimise(content, task.signature)
    except ExportError:  # the last resort failed: what was found before it still stands
        return None


def _is_short(candidate: Candidate, settings: ExportSettings, limits: LimitSettings) -> bool:
    if candidate.refused is not None:
        return False
    loses = candidate.risk > settings.allowance_ratio
    return candidate.nodes_kept > 0 or (loses and too_slow(candidate, limits.batch_rows) is None)
