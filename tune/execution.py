"""One trial, from hyperparameters to the score of the artifact that would ship."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from evertune.task import Splits
from export import FP32, Footprint, OverLimitsError, export_model, measure_untrained
from tune.fitting import fit
from tune.frameworks import Framework, Learner
from tune.hypermodel import TaskHyperModel
from tune.plan import Plan
from tune.record import TrialRecord
from tune.seeding import seed_everything
from tune.space import active
from tune.weights import WEIGHTS, load_arrays
from tune.winner import keep_winner

_CHECKPOINT = "checkpoint.npz"

EpochEnd = Callable[[Any, int, float], bool]
"""Given model, epochs trained and validation accuracy; returns whether to go on."""


def execute(
    hypermodel: TaskHyperModel, hp: Any, trial_id: str, plan: Plan, splits: Splits, *, warm: bool, on_epoch: EpochEnd
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

    footprint = _footprint(framework, learner, hypermodel, plan, seed)
    untrained = _figures(footprint)
    if footprint is not None and footprint.over is not None:
        return record("rejected", error=f"not trained: {footprint.over}", **untrained)
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
    )
    reached = {"rung_metric": trained.accuracy, "epochs": trained.epochs}
    if trained.stopped:
        return record("pruned", **untrained, **reached)
    try:
        result = export_model(
            learner.exported(), hypermodel.task, splits, settings=plan.export, limits=plan.limits, seed=seed, quick=True
        )
    except OverLimitsError as error:
        if framework.measured_untrained:  # it was within them before
            raise
        known = {key: error.details[key] for key in ("latency_seconds", "size_bytes")}
        return record("rejected", error=f"known when fitted: {error.message}", recipe=FP32, **known, **reached)
    keep_winner(folder / WEIGHTS, learner, trained.accuracy)
    chosen = result.chosen
    return record(
        "completed",
        score=chosen.accuracy,
        latency_seconds=chosen.latency_seconds[plan.limits.batch_rows],
        size_bytes=chosen.size_bytes,
        recipe=chosen.recipe,
        candidates=[candidate.to_json() for candidate in result.candidates],
        **reached,
    )


def _footprint(
    framework: Framework, learner: Learner, hypermodel: TaskHyperModel, plan: Plan, seed: int
) -> Footprint | None:
    """Measured twice before a model is turned away: the neighbour that trains beside it may have been in the way."""
    if not framework.measured_untrained:
        return None

    def measure() -> Footprint:
        model, task = learner.exported(), hypermodel.task
        return measure_untrained(model, task, settings=plan.export, limits=plan.limits, seed=seed)

    first = measure()
    if first.over is None or first.size_bytes > plan.limits.size_bytes:
        return first
    return min(first, measure(), key=lambda each: (each.over is not None, each.latency_seconds))


def _figures(footprint: Footprint | None) -> dict[str, Any]:
    if footprint is None:
        return {}
    return {
        "latency_seconds": footprint.latency_seconds,
        "size_bytes": footprint.size_bytes,
        "recipe": footprint.recipe,
    }
