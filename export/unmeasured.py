"""Export for a target that this machine does not have.

Correctness in FP32 and FP16 is proven on any machine. Speed is measured on the target or not at all: the result says
what is pending, and FP32 ships, unless only FP16 is within the size limit. INT8 is left out: without its speed nothing
speaks for it, and under ONNX Runtime's CUDA provider it is slower.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evertune.errors import ExportError
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from export.candidate import Candidate
from export.choose import over_limits
from export.converters.source import Source
from export.measure import latency_batches
from export.pipeline import convert
from export.precisions import parity_of
from export.quantization import Quantizer
from export.recipes import FP16, FP32, recipe_named
from export.result import ExportResult
from export.scoring import difference_of, losses_of, outputs_of
from export.verify import check_outputs, verify


def export_unmeasured(
    model: Any, task: Task, splits: Splits, *, settings: ExportSettings, limits: LimitSettings
) -> ExportResult:
    """FP32 and FP16, proven on the CPU; everything about speed is pending.

    Args:
        model: Trained.
        task: Declares inputs and labels.
        splits: Validation rows are used.
        settings: Target, allowance, parity, threads.
        limits: Of size; that of latency is not judged.

    Raises:
        ExportError: The model does not convert, does not fit the task, or no precision is within the size limit.
    """
    rows = splits.validation
    source, session, parity = convert(
        model, task.signature, rows.inputs, settings, kind=task.kind, parameters=task.parameters, full=True
    )
    fp32 = Candidate(
        FP32,
        source.model_bytes,
        accuracy=1 - float(losses_of(session, rows, task, settings.batch_rows).mean()),
        parity=parity,
        external_data=source.external_data,
    )
    half = _half(source, session, task, splits, settings)
    judged, chosen, reason = choose_unmeasured(fp32, half, settings, limits)
    return ExportResult(
        candidates=judged,
        chosen=chosen,
        reason=reason,
        parity=parity,
        validation_rows=len(rows),
        target=settings.target,
        scored_rows=settings.batch_rows,
        pending=_pending(settings.target, chosen.recipe, judged, limits),
    )


def choose_unmeasured(
    fp32: Candidate, half: Candidate, settings: ExportSettings, limits: LimitSettings
) -> tuple[tuple[Candidate, ...], Candidate, str]:
    """FP32, or FP16 where FP32 is too large and FP16 costs no more accuracy than allowed.

    Raises:
        ExportError: Neither is within the size limit.
    """
    fp32, half = (
        replace(each, refused=each.refused or over_limits(0.0, each.size_bytes, limits) or _too_costly(each, settings))
        for each in (fp32, half)
    )
    unjudged = f"latency is not judged, since this machine has nothing to run {settings.target} on"
    if fp32.refused is None:
        unmeasured = f"its speed on {settings.target} is not measured yet; FP32 ships until it is"
        return (fp32, replace(half, refused=half.refused or unmeasured)), fp32, f"fp32: proven on the CPU; {unjudged}"
    if half.refused is None:
        return (fp32, half), half, f"fp16: FP32 is over a limit: {fp32.refused}; {unjudged}"
    raise ExportError(
        f"no precision of the model is within the limits: FP32: {fp32.refused}; FP16: {half.refused}",
        fix="Raise [limits] size_bytes, or let the search try smaller models.",
    )


def _pending(
    target: str, recipe: str, candidates: tuple[Candidate, ...], limits: LimitSettings
) -> tuple[Mapping[str, Any], ...]:
    sizes = ", ".join(map(str, latency_batches(limits.batch_rows)))
    found = [
        {"what": f"the golden rows again, on {target}", "recipes": [recipe]},
        {"what": f"latency of batches of {sizes} rows, and limits.latency_seconds", "recipes": [recipe]},
    ]
    if recipe == FP32 and any(each.recipe == FP16 and each.size_bytes for each in candidates):
        found.append({"what": "the speed of FP16 beside FP32, which decides if FP16 is worth it", "recipes": [FP16]})
    return tuple({**each, "target": target} for each in found)


def _too_costly(candidate: Candidate, settings: ExportSettings) -> str | None:
    upper = candidate.difference.upper if candidate.difference else -math.inf
    if upper <= settings.allowance_ratio:
        return None
    return f"may cost up to {upper:.2%} accuracy (95%), {settings.allowance_ratio:.2%} is allowed"


def _half(source: Source, fp32: Session, task: Task, splits: Splits, settings: ExportSettings) -> Candidate:
    rows = splits.validation
    try:
        content = Quantizer(source.model_bytes, task.signature, splits.calibration).quantize(recipe_named(FP16))
        session = verify(content, task.signature, threads=settings.threads)
        answers = outputs_of(session, rows.inputs, settings.batch_rows)  # of all rows: values may overflow
        check_outputs(answers, task.signature, task.kind)
        parity = parity_of(session, source, task, rows.inputs, settings, free=True)
    except ExportError as error:  # a precision that cannot be made is a finding, not a failure
        return Candidate(FP16, refused=error.message)
    before, after = (losses_of(each, rows, task, settings.batch_rows) for each in (fp32, session))
    return Candidate(
        FP16,
        content,
        size_ratio=len(content) / len(source.model_bytes),
        accuracy=1 - float(after.mean()),
        difference=difference_of(before, after, settings.allowance_ratio),
        parity=parity,
    )
