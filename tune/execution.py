"""One trial, from hyperparameters to the score of the artifact that would ship."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from evertune.files import write_atomic
from evertune.task import Splits, Task
from export import (
    FP32,
    ExportResult,
    Footprint,
    OverLimitsError,
    architectures_in,
    export_model,
    measure_untrained,
)
from tune.fitting import fit
from tune.frameworks import Learner
from tune.hypermodel import TaskHyperModel
from tune.plan import Plan
from tune.record import TrialRecord
from tune.seeding import seed_everything
from tune.space import active
from tune.weights import load_arrays
from tune.winner import keep_winner

ARTIFACT = "model.onnx"
"""Of a finalist, until it was timed beside the others."""
_CHECKPOINT = "checkpoint.npz"

EpochEnd = Callable[[Any, int, float], bool]
"""Given model, epochs trained and validation accuracy; returns whether to go on."""


def execute(
    hypermodel: TaskHyperModel,
    hp: Any,
    trial_id: str,
    plan: Plan,
    splits: Splits,
    *,
    warm: bool,
    on_epoch: EpochEnd,
    on_measured: Callable[[Mapping[str, float]], None] = lambda figures: None,
    epochs: int | None = None,
) -> TrialRecord:
    """Build, measure untrained, reject or train and prune, export, score. Weights of a completed trial are kept.

    Args:
        hypermodel: Of the task.
        hp: Values of the trial; hyperparameters that the build adds are in it afterwards.
        trial_id: Names the trial's folder.
        plan: Limits, epochs, seeds.
        splits: All but test are used.
        warm: Start from the incumbent's weights, if they fit.
        on_epoch: Asked after each epoch.
        on_measured: Told latency and size before training, where they are known then.
        epochs: At most; None for those of the plan. Schedules are laid out for the plan's in any case.

    Raises:
        Exception: Whatever the task's code raises; FloatingPointError where the loss becomes NaN; ExportError where
            no artifact would ship.
    """
    start = time.monotonic()
    seed, folder = plan.trial_seed(trial_id), plan.trial_folder(trial_id)
    seed_everything(seed)
    framework, learner = hypermodel.learner(hp)

    def record(state: Any, **content: Any) -> TrialRecord:
        values = active(hp.space, hp.values)
        return TrialRecord(trial_id, values, state, seconds=time.monotonic() - start, **content)

    footprint = _measured(learner, hypermodel.task, plan, seed) if framework.measured_untrained else None
    untrained = _figures(footprint)
    if footprint is not None and footprint.over is not None:
        return record("rejected", error=f"not trained: {footprint.over}", **untrained)
    on_measured(untrained)
    if warm and plan.warm_weights is not None:
        learner.assign(load_arrays(plan.warm_weights).get("weights", []))

    def report(epoch: int, accuracy: float) -> bool:
        # The only epoch of a fit is its last: at the first rung it would be measured against beginners.
        return learner.most_epochs == 1 or on_epoch(learner.model, epoch, accuracy)

    trained = fit(
        hypermodel,
        hp,
        learner,
        seed=seed,
        report=report,
        checkpoint=folder / _CHECKPOINT,
        epochs=epochs,
    )
    reached = {"rung_metric": trained.accuracy, "epochs": trained.epochs}
    if trained.stopped:
        return record("pruned", **untrained, **reached)
    try:
        result = _exported(learner, hypermodel.task, splits, plan, seed)
    except OverLimitsError as error:
        if framework.measured_untrained:  # it was within them before
            raise
        known = {key: error.details[key] for key in ("latency_seconds", "size_bytes")}
        return record("rejected", error=f"known when fitted: {error.message}", recipe=FP32, **known, **reached)
    chosen = result.chosen
    keep_winner(folder, learner, trained.accuracy, chosen.losses)
    if "." in trial_id and not chosen.external_data:
        write_atomic(folder / ARTIFACT, chosen.model_bytes)
    return record(
        "completed",
        score=chosen.accuracy,
        latency_seconds=chosen.latency_seconds[plan.limits.batch_rows],
        size_bytes=chosen.size_bytes,
        memory_bytes=chosen.memory_bytes,
        recipe=chosen.recipe,
        candidates=[candidate.to_json() for candidate in result.candidates],
        **reached,
    )


def _measured(learner: Learner, task: Task, plan: Plan, seed: int) -> Footprint:
    with architectures_in(plan.architectures):
        return measure_untrained(learner.exported(), task, settings=plan.export, limits=plan.limits, seed=seed)


def _exported(learner: Learner, task: Task, splits: Splits, plan: Plan, seed: int) -> ExportResult:
    model, settings, limits = learner.exported(), plan.export, plan.limits
    with architectures_in(plan.architectures):
        return export_model(model, task, splits, settings=settings, limits=limits, seed=seed, quick=True)


def _figures(footprint: Footprint | None) -> dict[str, Any]:
    if footprint is None:
        return {}
    return {
        "latency_seconds": footprint.latency_seconds,
        "size_bytes": footprint.size_bytes,
        "memory_bytes": footprint.memory_bytes,
        "recipe": footprint.recipe,
    }
