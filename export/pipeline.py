"""From a model to the candidate that ships: convert, verify, quantize, measure, choose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from evertune.kinds import Parameters
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import Signature, Tensors
from export.candidate import Candidate
from export.choose import choose, too_slow
from export.converters.source import Source
from export.costs import with_latency, with_memory
from export.parity import Parity
from export.precisions import Made, Precisions, parity_of
from export.presence import judgeable_limits
from export.quantization import optimise, strided
from export.quantization.last_resort import last_resort
from export.recipes import FP32
from export.result import ExportResult, Measurement
from export.routes import Routes
from export.scoring import with_accuracy, with_risk
from export.target import Target, on_target, target_named
from export.verify import check_outputs, verify

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
            labels of validation rows judge, and do nothing else here. Test rows are not touched.
        settings: Allowance, parity, threads, target. Where this machine does not have the target, FP32 is measured on
            the CPU and its latency is no limit; `export_for` says what is pending instead.
        limits: What the model may cost.
        seed: Of the order of rows in quantization-aware fine-tuning.
        quick: Fewer recipes and timing rounds, at most 4,096 validation rows, memory only where it is limited, and no
            accuracy for a candidate that is too slow anyway; for trials of a search.

    Raises:
        ExportError: The model does not convert, does not fit the task, or no precision is within the limits.
    """
    if quick:
        taken = strided(len(splits.validation), _QUICK_ROWS)
        splits = replace(splits, validation=splits.validation.take(taken))
    rows = splits.validation
    source, session, parity = convert(
        model,
        task.signature,
        rows.inputs,
        settings,
        kind=task.kind,
        parameters=task.parameters,
        full=not quick,
    )
    precisions = Precisions(source, session, task, splits, settings)
    target = target_named(settings.target)
    limits = judgeable_limits(limits, settings.target)
    bench = _Bench(task, splits, settings, limits, target, quick)
    fp32 = Candidate(FP32, source.model_bytes, parity=parity, external_data=source.external_data)
    found, sessions, rounds = bench.measured([(fp32, session), *precisions.made(target, quick=quick)])
    recipe = last_resort(found, settings, limits) if settings.quantization_aware and not quick else None
    if recipe is not None:
        tuned = precisions.fine_tuned(model, recipe, seed)
        if tuned:
            timed, more, _ = bench.measured([(fp32, session), *tuned])
            found, sessions = found + timed[1:], {**more, **sessions}
    found = with_accuracy(found, sessions, rows, task, settings)
    judged, chosen, reason = choose(found, settings=settings, limits=limits)
    measurement = bench.measurement(sessions[FP32].provider, rounds)
    return ExportResult(
        judged, chosen, reason, parity, len(rows), measurement, settings.target, scored_rows=settings.batch_rows
    )


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
    meaning = _Meaning(kind, parameters or {})
    first = {name: value[:64] for name, value in rows.items()}

    def prove(source: Source) -> tuple[Source, Session, Parity]:
        source = replace(source, model_bytes=optimise(source.model_bytes, signature))
        files = source.external_data
        session = verify(source.model_bytes, signature, threads=settings.threads, external_data=files)
        return source, session, parity_of(session, source, meaning, rows, settings)

    def check(source: Source) -> None:
        check_outputs(source.predict(first), signature, kind)

    routes = Routes(model, signature, kind, settings, check=check, prove=prove)
    return routes.best(rows) if full else routes.quick()


@dataclass(frozen=True)
class _Meaning:
    """What a model's output is: as much of a task as proving it takes."""

    kind: str
    parameters: Parameters


@dataclass(frozen=True)
class _Bench:
    """Measures candidates side by side, on rows whose labels do not judge."""

    task: Task
    splits: Splits
    settings: ExportSettings
    limits: LimitSettings
    target: Target
    quick: bool

    def measured(self, made: Made) -> tuple[list[Candidate], dict[str, Session], int]:
        """Adds latency, memory and risk; returns the candidates, the sessions of those in the race, and the rounds.

        Args:
            made: FP32 first.
        """
        sessions = {candidate.recipe: session for candidate, session in made if session is not None}
        found = on_target([candidate for candidate, _ in made], sessions, self.target)
        timing = self.splits.calibration.inputs
        rounds, loads = (_QUICK_ROUNDS, _QUICK_LOADS) if self.quick else (_ROUNDS, _LOADS)
        found, rounds = with_latency(
            found, sessions, timing, rounds, loads, self.limits.batch_rows, self.target.providers
        )
        if self.quick:
            found = [_without_slow(candidate, sessions, self.limits) for candidate in found]
        if not self.quick or self.limits.memory_bytes:
            found = with_memory(found, sessions, timing, self.target.providers)
        judging, batch = len(self.splits.validation), self.settings.batch_rows
        return with_risk(found, sessions, self._selection, self.task, judging, batch), sessions, rounds

    def measurement(self, provider: str, rounds: int) -> Measurement:
        """For the attestation."""
        return Measurement(
            provider,
            self.settings.threads,
            self.limits.batch_rows,
            rounds,
            len(self._selection),
        )

    @cached_property
    def _selection(self) -> Rows:
        """Calibration and training rows: any may put candidates in order, since only validation rows judge."""
        train = self.splits.train
        if self.quick or not len(train):
            return self.splits.calibration
        return Rows.concatenate([self.splits.calibration, train.take(strided(len(train), _SELECTION_ROWS))])


def _without_slow(candidate: Candidate, sessions: dict[str, Session], limits: LimitSettings) -> Candidate:
    """Refuses a candidate that is too slow before its accuracy is measured: most of a quick export would go there."""
    if candidate.recipe == FP32 or candidate.recipe not in sessions:
        return candidate
    reason = too_slow(candidate, limits.batch_rows)
    if reason is not None:
        del sessions[candidate.recipe]
    return replace(candidate, refused=reason)
