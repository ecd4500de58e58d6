"""Export for a GPU, on a machine that has one and on one that has not.

Correctness in FP32 and FP16 is proven on any machine. Speed is measured on the target or not at all: without a GPU the
result says what is pending, and FP32 ships, unless only FP16 is within the size limit. INT8 is left out: under ONNX
Runtime's CUDA provider it is no faster, and TensorRT, under which it is, is not used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evertune.errors import ExportError
from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.statistics import paired_noninferiority
from evertune.task import Splits, Task
from export.candidate import Candidate
from export.choose import choose, over_limits
from export.converters.source import Source
from export.half import FP16, to_half
from export.measure import LATENCY_BATCHES, measure_latency
from export.parity import compare
from export.pipeline import convert, outputs_of
from export.recipes import FP32
from export.result import ExportResult
from export.targets import PROVIDERS, is_here
from export.verify import check_outputs, verify

_ROUNDS = 25
_ERROR_RATE = 0.025  # one side; the interval of both has 95%
_UNMEASURED = "its speed on CUDA is not measured yet; FP32 ships until it is"


def export_for_cuda(
    model: Any, task: Task, splits: Splits, *, settings: ExportSettings, limits: LimitSettings
) -> ExportResult:
    """FP32 and FP16, proven here; timed where there is a GPU, else listed as pending.

    Args:
        model: Trained.
        task: Declares inputs and labels.
        splits: Validation rows are used.
        settings: Allowance, parity, threads.
        limits: Of size; of latency only where it can be measured.

    Raises:
        ExportError: The model does not convert, does not fit the task, or no precision is within the limits.
    """
    rows, here = splits.validation, is_here("cuda")
    source, session, parity = convert(
        model, task.signature, rows.inputs, settings, kind=task.kind, parameters=task.parameters
    )
    sessions, candidates = {FP32: session}, [Candidate(FP32, source.model_bytes, parity=parity)]
    half, loaded = _half(source, task, rows, settings)
    candidates.append(half)
    sessions.update({FP16: loaded} if loaded is not None else {})
    if here:
        sessions = {
            each.recipe: Session(
                each.model_bytes, task.signature, threads=settings.threads, providers=PROVIDERS["cuda"]
            )
            for each in candidates
            if each.recipe in sessions
        }
    candidates = _with_accuracy(candidates, sessions, rows, task, settings)
    if here:
        compare(
            sessions[FP32],
            source.predict,
            rows.inputs,
            absolute=settings.parity_absolute,
            kind=task.kind,
            parameters=task.parameters,
        )
        judged, chosen, reason = choose(_timed(candidates, sessions, rows), settings=settings, limits=limits)
        return ExportResult(judged, chosen, reason, parity, len(rows), "cuda")
    judged, chosen, reason = choose_unmeasured(candidates, settings, limits)
    return ExportResult(judged, chosen, reason, parity, len(rows), "cuda", pending(chosen.recipe, judged))


def pending(recipe: str, candidates: tuple[Candidate, ...]) -> tuple[Mapping[str, Any], ...]:
    """What only a machine with a GPU can tell about a bundle of that recipe."""
    sizes = ", ".join(map(str, LATENCY_BATCHES))
    found = [
        {"what": "the golden rows again, by the CUDA provider", "recipes": [recipe]},
        {"what": f"latency of batches of {sizes} rows, and limits.latency_seconds", "recipes": [recipe]},
    ]
    other = FP16 if recipe == FP32 else FP32
    if any(each.recipe == other and each.size_bytes for each in candidates):
        found.append(
            {"what": "the speed of FP16 beside FP32, which decides whether FP16 is worth it", "recipes": [other]}
        )
    return tuple({**each, "target": "cuda"} for each in found)


def choose_unmeasured(
    candidates: list[Candidate], settings: ExportSettings, limits: LimitSettings
) -> tuple[tuple[Candidate, ...], Candidate, str]:
    """FP32, or FP16 where FP32 is too large and FP16 costs no more accuracy than allowed.

    Raises:
        ExportError: Neither is within the size limit.
    """
    judged = []
    for each in candidates:
        refused = each.refused or over_limits(0.0, each.size_bytes, limits) or _too_costly(each, settings)
        judged.append(replace(each, refused=refused))
    fp32, half = judged
    unjudged = "latency is not judged here, this machine has no GPU"
    if fp32.refused is None:
        half = replace(half, refused=half.refused or _UNMEASURED)
        return (fp32, half), fp32, f"fp32: proven on this machine's CPU; {unjudged}"
    if half.refused is None:
        return (fp32, half), half, f"fp16: FP32 is over a limit: {fp32.refused}; {unjudged}"
    raise ExportError(
        f"no precision of the model is within the limits: FP32: {fp32.refused}; FP16: {half.refused}",
        fix="Raise [limits] size_bytes, or let the search try smaller models.",
    )


def _too_costly(candidate: Candidate, settings: ExportSettings) -> str | None:
    upper = candidate.difference.upper if candidate.difference else -math.inf
    if upper <= settings.allowance_ratio:
        return None
    return f"may cost up to {upper:.2%} accuracy (95%), {settings.allowance_ratio:.2%} is allowed"


def _half(source: Source, task: Task, rows: Rows, settings: ExportSettings) -> tuple[Candidate, Session | None]:
    try:
        content = to_half(source.model_bytes, task.signature)
        session = verify(content, task.signature, threads=settings.threads)
        check_outputs(outputs_of(session, rows.inputs), task.signature, task.kind)  # on all rows: values may overflow
        parity = compare(
            session,
            source.predict,
            rows.inputs,
            absolute=settings.parity_absolute,
            free=True,
            kind=task.kind,
            parameters=task.parameters,
        )
    except ExportError as error:  # a precision that cannot be made is a finding, not a failure
        return Candidate(FP16, refused=error.message), None
    return Candidate(FP16, content, size_ratio=len(content) / len(source.model_bytes), parity=parity), session


def _with_accuracy(
    candidates: list[Candidate], sessions: dict[str, Session], rows: Rows, task: Task, settings: ExportSettings
) -> list[Candidate]:
    losses = {
        recipe: row_losses(task.kind, outputs_of(session, rows.inputs), rows.labels, task.parameters)
        for recipe, session in sessions.items()
    }

    def measured(candidate: Candidate) -> Candidate:
        if candidate.recipe not in losses:
            return candidate
        found = losses[candidate.recipe]
        test = paired_noninferiority(
            losses[FP32], found, margin=settings.allowance_ratio, error_rate=_ERROR_RATE, min_rows=1
        )
        difference = None if candidate.recipe == FP32 else test.interval
        return replace(candidate, accuracy=1 - float(found.mean()), difference=difference)

    return [measured(candidate) for candidate in candidates]


def _timed(candidates: list[Candidate], sessions: dict[str, Session], rows: Rows) -> list[Candidate]:
    times = measure_latency(sessions, rows.inputs, baseline=FP32, rounds=_ROUNDS)
    return [
        replace(
            candidate,
            latency_seconds=times.seconds[candidate.recipe],
            latency_ratio=times.ratio[candidate.recipe],
        )
        if candidate.recipe in sessions
        else candidate
        for candidate in candidates
    ]
