"""From a model to the candidate that ships: convert, verify, quantize, measure, choose."""

from __future__ import annotations

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
from export.converters.source import Source
from export.measure import measure_latency
from export.parity import BATCH_SIZES, Parity, compare
from export.quantize import Quantizer, strided
from export.recipes import FP32, RECIPES
from export.result import ExportResult
from export.routes import Routes
from export.verify import check_outputs, verify

_ROUNDS = 25  # medians of ratios then move by a few percent from run to run on a busy machine
_QUICK_ROUNDS = 7
_QUICK_ROWS = 4096  # validation rows that a trial is scored on, at most
# Rows at a time through ONNX Runtime: the server's largest batch by default. Dynamic INT8 takes the scale of its
# activations from the whole batch, so its accuracy is that of the batches in which it is run.
_RUN_ROWS = BATCH_SIZES[-1]
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
        seed: Kept for recipes that draw at random; none does yet.
        quick: Fewer timing rounds, at most 4,096 validation rows, and no accuracy for a candidate that is too slow
            anyway; for trials of a search.

    Raises:
        ExportError: The model does not convert, does not fit the task, or no precision is within the limits.
    """
    del seed
    rows = splits.validation.take(strided(len(splits.validation), _QUICK_ROWS)) if quick else splits.validation
    source, session, parity = convert(
        model,
        task.signature,
        rows.inputs,
        settings,
        kind=task.kind,
        parameters=task.parameters,
        full=not quick,
    )
    sessions, candidates = {FP32: session}, [Candidate(FP32, source.model_bytes, parity=parity)]
    for candidate, loaded in _quantized(source, task, splits.calibration, rows, settings):
        candidates.append(candidate)
        sessions.update({candidate.recipe: loaded} if loaded is not None else {})
    timed = _with_latency(candidates, sessions, rows.inputs, _QUICK_ROUNDS if quick else _ROUNDS)
    if quick:
        timed = [_without_slow(candidate, sessions) for candidate in timed]
    measured = _with_accuracy(timed, sessions, rows, task, settings)
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
    full: bool = False,
) -> tuple[Source, Session, Parity]:
    """Converts and proves the result on `rows`; a reused graph that fails the proof is traced anew.

    Args:
        model: Of a framework known.
        signature: Declared inputs and outputs.
        rows: Real inputs.
        settings: Parity, threads, routes.
        kind: Of the task.
        parameters: Of the kind.
        full: Exporters run apart from this process, and other routes are tried, see `export.routes`.

    Raises:
        ExportError: The model does not convert, does not fit the task, or answers otherwise than its source.
    """
    meaning = _Meaning(signature, kind, parameters or {})
    first = {name: value[:64] for name, value in rows.items()}
    routes = Routes(
        model,
        signature,
        kind,
        settings,
        check=lambda source: check_outputs(source.predict(first), signature, kind),
        prove=lambda source: _proved(source, meaning, rows, settings),
    )
    return routes.best(rows) if full else routes.quick()


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
        batch_rows=settings.batch_rows,
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
