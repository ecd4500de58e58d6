"""The candidates beside FP32: made, proved, not measured yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings
from evertune.task import Splits, Task
from evertune.tensors import Array, Tensors
from export.candidate import Candidate
from export.converters.source import Source
from export.measure import measure_latency
from export.parity import Parity, compare
from export.quantization import candidates
from export.quantization.candidates import Prove
from export.quantization.last_resort import retrained
from export.quantization.verdict import Verdict
from export.recipes import FP32, QUICK, RECIPES, Recipe, recipe_named
from export.scoring import losses_of
from export.target import Target
from export.verify import check_outputs, verify

_MENDED_SHARE = 0.5  # of the allowance: the other half is for the interval on validation rows
_MENDED_ROUNDS = 3
_HOPELESS_RATIO = 1.5  # of FP32's latency; what is slower is not worth mending

Made = list[tuple[Candidate, Session | None]]


@dataclass(frozen=True)
class Precisions:
    """Smaller versions of one model.

    Args:
        source: FP32, proved and optimised.
        fp32: Its session.
        task: Declares inputs and labels.
        splits: Calibration rows set ranges and say what is to be mended; validation inputs prove, without labels.
        settings: Recipes, threads, allowance.
    """

    source: Source
    fp32: Session
    task: Task
    splits: Splits
    settings: ExportSettings

    def made(self, target: Target, *, quick: bool) -> Made:
        """One candidate a recipe, and its session where it may be measured; what the target refuses is not made."""
        recipes = QUICK if quick else tuple(map(recipe_named, self.settings.recipes)) or RECIPES
        refused = [target.refuses(recipe.name) for recipe in recipes]
        tried = [recipe for recipe, reason in zip(recipes, refused, strict=True) if reason is None]
        made = iter(self._candidates(tried, None if quick else self._judge()) if tried else ())
        return [
            next(made) if reason is None else (Candidate(recipe.name, refused=reason), None)
            for recipe, reason in zip(recipes, refused, strict=True)
        ]

    def fine_tuned(self, model: Any, recipe: Recipe, seed: int) -> Made:
        """The last resort: a recipe on weights that were fine-tuned for it.

        Args:
            model: As given to `export_model`; it keeps its own weights.
            recipe: As `last_resort` names it.
            seed: Of the order of rows.

        Returns:
            At most one; none where the model cannot be trained.
        """
        tuned = retrained(model, self.task, self.splits, self.source, seed=seed)
        if tuned is None:
            return []
        return candidates(tuned, self.task.signature, self.splits.calibration, [recipe], self._prover())

    def _candidates(self, recipes: list[Recipe], judge: Callable[[bytes], Verdict] | None) -> Made:
        content, calibration = self.source.model_bytes, self.splits.calibration
        return candidates(content, self.task.signature, calibration, recipes, self._prover(), judge)

    def _prover(self) -> Prove:
        task, rows = self.task, self.splits.validation.inputs
        first = {name: value[:64] for name, value in rows.items()}

        def prove(content: bytes) -> tuple[Session, Parity]:
            session = verify(content, task.signature, threads=self.settings.threads)
            check_outputs(session.run(first), task.signature, task.kind)
            return session, parity_of(session, self.source, task, rows, self.settings, free=True)

        return prove

    def _judge(self) -> Callable[[bytes], Verdict]:
        """Judges on calibration rows, whose labels decide nothing else: validation rows judge what comes of it."""
        rows: Rows = self.splits.calibration
        expected: Array = losses_of(self.fp32, rows, self.task, self.settings.batch_rows)

        def judge(content: bytes) -> Verdict:
            session = Session(content, self.task.signature, threads=self.settings.threads)
            added = losses_of(session, rows, self.task, self.settings.batch_rows) - expected
            if added.mean() <= self.settings.allowance_ratio * _MENDED_SHARE:
                return Verdict.KEEPS
            pair = {FP32: self.fp32, "": session}
            times = measure_latency(pair, rows.inputs, baseline=FP32, rounds=_MENDED_ROUNDS)
            slowest = max(times.ratio[""].values())
            return Verdict.LOSES if slowest <= _HOPELESS_RATIO else Verdict.HOPELESS

        return judge


def parity_of(
    session: Session, source: Source, task: Any, rows: Tensors, settings: ExportSettings, *, free: bool = False
) -> Parity:
    """`compare` with what a task and the settings say; `task` has `kind` and `parameters`."""
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
