"""From a model to the candidate that ships: convert, verify, quantize, measure, choose."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from evertune.errors import ExportError
from evertune.kinds import Parameters
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import Signature, Tensors
from export.candidate import Candidate
from export.choose import choose, too_slow
from export.converters import converter_for
from export.converters.source import Source
from export.costs import with_latency, with_memory
from export.parity import Parity, compare
from export.quantize import Quantizer, strided
from export.recipes import FP32, RECIPES
from export.result import ExportResult, Measurement
from export.scoring import outputs_of, with_accuracy, with_risk
from export.target import Target, on_target, target_named
from export.verify import check_outputs, verify

__all__ = ["convert", "export_model", "outputs_of"]

_ROUNDS, _LOADS = 50, 10
_QUICK_ROUNDS, _QUICK_LOADS = 15, 5
_QUICK_ROWS = 4096  # validation rows that a trial is scored on, at most
_SELECTION_ROWS = 4096  # training rows that put candidates in order, at most


def export_model(
    model: Any,
    task: Task,
    splits: Splits,
    *,
    settings: ExportSettings,
    limits: LimitSettings,
    seed: int,
    quick: bool = False,
) -> ExportResult:
    """Exports a trained model in every precision and picks what would ship.

    Args:
        model: What `task.build` returned, trained.
        task: Declares inputs and labels.
        splits: Calibration rows set quantization ranges and, with some training rows, put the candidates in order;
            validation rows judge, and do nothing else here. Test rows are not touched.
        settings: Allowance, parity, threads.
        limits: What the model may cost.
        seed: Kept for recipes that draw at random; none does yet.
        quick: Fewer timing rounds, at most 4,096 validation rows, and no accuracy for a candidate that is too slow
            anyway; for trials of a search.

    Raises:
        ExportError: The model does not convert, does not fit the task, or no precision is within the limits.
    """
    del seed
    rows = splits.validation.take(strided(len(splits.validation), _QUICK_ROWS)) if quick else splits.validation
    source, session, parity = convert(
        model, task.signature, rows.inputs, settings, kind=task.kind, parameters=task.parameters
    )
    sessions, found = {FP32: session}, [Candidate(FP32, source.model_bytes, parity=parity)]
    for candidate, loaded in _quantized(source, task, splits.calibration, rows, settings):
        found.append(candidate)
        sessions.update({candidate.recipe: loaded} if loaded is not None else {})
    target = target_named(settings.target)
    found = on_target(found, sessions, target)
    timing = splits.calibration.inputs  # rows that judge have no part in anything else
    found, rounds = with_latency(
        found,
        sessions,
        timing,
        _QUICK_ROUNDS if quick else _ROUNDS,
        _QUICK_LOADS if quick else _LOADS,
        limits.batch_rows,
        target.providers,
    )
    if quick:
        found = [_without_slow(candidate, sessions, limits) for candidate in found]
    else:
        found = with_memory(found, sessions, timing, target.providers)
    selection = splits.calibration if quick else _selection(splits)
    found = with_risk(found, sessions, selection, task, len(rows))
    found = with_accuracy(found, sessions, rows, task, settings.allowance_ratio)
    judged, chosen, reason = choose(found, settings=settings, limits=_known(limits, target))
    measured = Measurement(sessions[FP32].provider, settings.threads, limits.batch_rows, rounds, len(selection))
    return ExportResult(judged, chosen, reason, parity, len(rows), measured)


def convert(
    model: Any,
    signature: Signature,
    rows: Tensors,
    settings: ExportSettings,
    *,
    kind: str = "classification",
    parameters: Parameters | None = None,
) -> tuple[Source, Session, Parity]:
    """Converts and proves the result on `rows`; a reused graph that fails the proof is traced anew.

    Raises:
        ExportError: The model does not convert, does not fit the task, or answers otherwise than its source.
    """
    converter = converter_for(model)
    source = converter.convert(model, signature, kind=kind)
    meaning = _Meaning(signature, kind, parameters or {})
    try:
        return _proved(source, meaning, rows, settings)
    except ExportError:
        if not source.reused:
            raise
    return _proved(converter.convert(model, signature, kind=kind, reuse=False), meaning, rows, settings)


@dataclass(frozen=True)
class _Meaning:
    """What a model's output is: as much of a task as proving it takes."""

    signature: Signature
    kind: str
    parameters: Parameters


def _proved(source: Source, task: _Meaning, rows: Tensors, settings: ExportSettings) -> tuple[Source, Session, Parity]:
    first = {name: value[:64] for name, value in rows.items()}
    check_outputs(source.predict(first), task.signature, task.kind)
    session = verify(source.model_bytes, task.signature, threads=settings.threads)
    return source, session, _compare(session, source, task, rows, settings)


def _compare(
    session: Session,
    source: Source,
    task: _Meaning | Task,
    rows: Tensors,
    settings: ExportSettings,
    *,
    free: bool = False,
) -> Parity:
    return compare(
        session,
        source.predict,
        rows,
        absolute=settings.parity_absolute,
        free=free,
        kind=task.kind,
        parameters=task.parameters,
    )


def _quantized(
    source: Source, task: Task, calibration: Rows, validation: Rows, settings: ExportSettings
) -> list[tuple[Candidate, Session | None]]:
    made: list[tuple[Candidate, Session | None]] = []
    quantizer: Quantizer | None = None
    signature, first = task.signature, {name: value[:64] for name, value in validation.inputs.items()}
    for recipe in RECIPES:
        try:
            quantizer = quantizer or Quantizer(source.model_bytes, signature, calibration)
            content = quantizer.quantize(recipe)
            session = verify(content, signature, threads=settings.threads)
            check_outputs(session.run(first), signature, task.kind)
            parity = _compare(session, source, task, validation.inputs, settings, free=True)
        except ExportError as error:  # a precision that cannot be made is a finding, not a failure
            made.append((Candidate(recipe.name, refused=error.message), None))
            continue
        size_ratio = len(content) / len(source.model_bytes)
        made.append((Candidate(recipe.name, content, size_ratio=size_ratio, parity=parity), session))
    return made


def _selection(splits: Splits) -> Rows:
    """Calibration and training rows: any may put candidates in order, since only validation rows judge."""
    train = splits.train.take(strided(len(splits.train), _SELECTION_ROWS)) if len(splits.train) else splits.train
    return Rows.concatenate([splits.calibration, train])


def _known(limits: LimitSettings, target: Target) -> LimitSettings:
    """Without a limit that cannot be measured here."""
    return limits if target.is_here else limits.model_copy(update={"latency_seconds": math.inf})


def _without_slow(candidate: Candidate, sessions: dict[str, Session], limits: LimitSettings) -> Candidate:
    """Refuses a candidate that is too slow before its accuracy is measured: most of a quick export would go there."""
    if candidate.recipe == FP32 or candidate.recipe not in sessions:
        return candidate
    reason = too_slow(candidate, limits.batch_rows)
    if reason is not None:
        del sessions[candidate.recipe]
    return replace(candidate, refused=reason)
