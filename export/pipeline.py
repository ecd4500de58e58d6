"""From a model to the candidate that ships: convert, verify, quantize, measure, choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evertune.errors import ExportError
from evertune.kinds import Parameters
from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.statistics import Interval, paired_noninferiority
from evertune.task import Splits, Task
from evertune.tensors import Array, Signature, Tensors
from export.candidate import Candidate
from export.choose import choose, too_slow
from export.converters import converter_for
from export.converters.source import Source
from export.measure import measure_latency
from export.parity import BATCH_SIZES, Parity, compare
from export.quantization import candidates, optimise, strided
from export.quantization.candidates import Prove
from export.quantization.last_resort import last_resort, retrained
from export.recipes import FP32, QUICK, RECIPES, recipe_named
from export.result import ExportResult
from export.verify import check_outputs, verify

_ROUNDS = 25  # medians of ratios then move by a few percent from run to run on a busy machine
_QUICK_ROUNDS = 7
_QUICK_ROWS = 4096  # validation rows that a trial is scored on, at most
# Rows at a time through ONNX Runtime: the server's largest batch by default. Dynamic INT8 takes the scale of its
# activations from the whole batch, so its accuracy is that of the batches in which it is run.
_RUN_ROWS = BATCH_SIZES[-1]
_MENDED_SHARE = 0.5  # of the allowance: the other half is for the interval on validation rows
_MENDED_ROUNDS = 3
_HOPELESS_RATIO = 1.5  # of FP32's latency; what is slower is not worth mending
_ERROR_RATE = 0.025  # one side; the interval of both has 95%


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
        splits: Calibration rows set quantization ranges, validation rows judge. Test rows are not touched.
        settings: Allowance, parity, threads.
        limits: What the model may cost.
        seed: Of the order of rows in quantization-aware fine-tuning.
        quick: Fewer timing rounds, at most 4,096 validation rows, and no accuracy for a candidate that is too slow
            anyway; for trials of a search.

    Raises:
        ExportError: The model does not convert, does not fit the task, or no precision is within the limits.
    """
    rows = splits.validation.take(strided(len(splits.validation), _QUICK_ROWS)) if quick else splits.validation
    source, session, parity = convert(
        model, task.signature, rows.inputs, settings, kind=task.kind, parameters=task.parameters
    )
    sessions, found = {FP32: session}, [Candidate(FP32, source.model_bytes, parity=parity)]
    for candidate, loaded in _quantized(source, session, task, splits.calibration, rows, settings, quick):
        found.append(candidate)
        sessions.update({candidate.recipe: loaded} if loaded is not None else {})
    timed = _with_latency(found, sessions, rows.inputs, _QUICK_ROUNDS if quick else _ROUNDS)
    if quick:
        timed = [_without_slow(candidate, sessions) for candidate in timed]
    measured = _with_accuracy(timed, sessions, rows, task, settings)
    judged, chosen, reason = choose(measured, settings=settings, limits=limits)
    if settings.quantization_aware and not quick and chosen.recipe == FP32:
        measured += _last_resort(model, task, splits, source, session, measured, settings, seed)
        judged, chosen, reason = choose(measured, settings=settings, limits=limits)
    return ExportResult(judged, chosen, reason, parity, len(rows))


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


def outputs_of(session: Session, inputs: Tensors) -> Tensors:
    """Runs all rows in batches of bounded size."""
    count = len(next(iter(inputs.values())))
    parts = [
        session.run({name: value[start : start + _RUN_ROWS] for name, value in inputs.items()})
        for start in range(0, count, _RUN_ROWS)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class _Meaning:
    """What a model's output is: as much of a task as proving it takes."""

    signature: Signature
    kind: str
    parameters: Parameters


def _proved(source: Source, task: _Meaning, rows: Tensors, settings: ExportSettings) -> tuple[Source, Session, Parity]:
    first = {name: value[:64] for name, value in rows.items()}
    check_outputs(source.predict(first), task.signature, task.kind)
    source = replace(source, model_bytes=optimise(source.model_bytes, task.signature))
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


def _prover(source: Source, task: Task, rows: Tensors, settings: ExportSettings) -> Prove:
    first = {name: value[:64] for name, value in rows.items()}

    def prove(content: bytes) -> tuple[Session, Parity]:
        session = verify(content, task.signature, threads=settings.threads)
        check_outputs(session.run(first), task.signature, task.kind)
        return session, _compare(session, source, task, rows, settings, free=True)

    return prove


def _quantized(
    source: Source,
    fp32: Session,
    task: Task,
    calibration: Rows,
    validation: Rows,
    settings: ExportSettings,
    quick: bool,
) -> list[tuple[Candidate, Session | None]]:
    prove = _prover(source, task, validation.inputs, settings)
    recipes = QUICK if quick else tuple(map(recipe_named, settings.recipes)) or RECIPES
    loses = None if quick else _loses(fp32, task, calibration, settings)
    return candidates(source.model_bytes, task.signature, calibration, recipes, prove, loses)


def _loses(fp32: Session, task: Task, rows: Rows, settings: ExportSettings) -> Callable[[bytes], bool]:
    """Judges on calibration rows, whose labels decide nothing else: validation rows judge what comes of it."""
    expected = row_losses(task.kind, outputs_of(fp32, rows.inputs), rows.labels, task.parameters)

    def loses(content: bytes) -> bool:
        session = Session(content, task.signature, threads=settings.threads)
        found = row_losses(task.kind, outputs_of(session, rows.inputs), rows.labels, task.parameters)
        if (found - expected).mean() <= settings.allowance_ratio * _MENDED_SHARE:
            return False
        times = measure_latency({FP32: fp32, "": session}, rows.inputs, baseline=FP32, rounds=_MENDED_ROUNDS)
        return max(times.ratio[""].values()) <= _HOPELESS_RATIO

    return loses


def _last_resort(
    model: Any,
    task: Task,
    splits: Splits,
    source: Source,
    fp32: Session,
    measured: list[Candidate],
    settings: ExportSettings,
    seed: int,
) -> list[Candidate]:
    """A measured candidate on fine-tuned weights; none where INT8 is slow anyway or torch cannot train the model."""
    recipe = last_resort(measured, settings)
    tuned = None if recipe is None else retrained(model, task, splits, source, seed=seed)
    if recipe is None or tuned is None:
        return []
    prove = _prover(source, task, splits.validation.inputs, settings)
    made = candidates(tuned, task.signature, splits.calibration, [recipe], prove)
    sessions = {FP32: fp32, **{candidate.recipe: loaded for candidate, loaded in made if loaded is not None}}
    timed = _with_latency([candidate for candidate, _ in made], sessions, splits.validation.inputs, _ROUNDS)
    return _with_accuracy(timed, sessions, splits.validation, task, settings)


def _without_slow(candidate: Candidate, sessions: dict[str, Session]) -> Candidate:
    """Refuses a candidate that is too slow before its accuracy is measured: most of a quick export would go there."""
    reason = too_slow(candidate) if candidate.recipe != FP32 and candidate.recipe in sessions else None
    if reason is not None:
        del sessions[candidate.recipe]
    return replace(candidate, refused=candidate.refused or reason)


def _with_accuracy(
    candidates: list[Candidate], sessions: dict[str, Session], rows: Rows, task: Task, settings: ExportSettings
) -> list[Candidate]:
    losses = {
        recipe: row_losses(task.kind, outputs_of(session, rows.inputs), rows.labels, task.parameters)
        for recipe, session in sessions.items()
    }
    return [
        replace(
            candidate,
            accuracy=1 - float(losses[candidate.recipe].mean()),
            difference=None
            if candidate.recipe == FP32
            else _difference(losses[FP32], losses[candidate.recipe], settings.allowance_ratio),
        )
        if candidate.recipe in losses
        else candidate
        for candidate in candidates
    ]


def _difference(fp32: Array, quantized: Array, allowance: float) -> Interval:
    return paired_noninferiority(fp32, quantized, margin=allowance, error_rate=_ERROR_RATE, min_rows=1).interval


def _with_latency(
    candidates: list[Candidate], sessions: dict[str, Session], rows: Tensors, rounds: int
) -> list[Candidate]:
    times = measure_latency(sessions, rows, baseline=FP32, rounds=rounds)
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
