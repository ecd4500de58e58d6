"""One trial, from hyperparameters to the score of the artifact that would ship."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from evertune.task import Splits, Task
from export import Footprint, export_model, measure_untrained
from tune.hypermodel import TaskHyperModel
from tune.plan import Plan
from tune.record import TrialRecord
from tune.seeding import seed_everything
from tune.space import active
from tune.strategy import Strategy
from tune.training import Report, Trained, train, validation_accuracy
from tune.weights import WEIGHTS, assign, load_arrays, save_arrays, values_of

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
    seed = plan.trial_seed(trial_id)
    seed_everything(seed)
    model, strategy = hypermodel.build_with_strategy(hp)

    def record(state: Any, **content: Any) -> TrialRecord:
        values = active(hp.space, hp.values)
        return TrialRecord(trial_id, values, state, seconds=time.monotonic() - start, **content)

    footprint = _footprint(model, hypermodel, plan, seed)
    untrained = {
        "latency_seconds": footprint.latency_seconds,
        "size_bytes": footprint.size_bytes,
        "recipe": footprint.recipe,
    }
    if footprint.over is not None:
        return record("rejected", error=f"not trained: {footprint.over}", **untrained)
    if warm and plan.warm_weights is not None:
        assign(model.weights, load_arrays(plan.warm_weights)["weights"])
    trained = _train(hypermodel, hp, model, strategy, splits, plan, seed, plan.trial_folder(trial_id), on_epoch)
    reached = {"rung_metric": trained.accuracy, "epochs": trained.epochs}
    if trained.stopped:
        return record("pruned", **untrained, **reached)
    result = export_model(
        model, hypermodel.task, splits, settings=plan.export, limits=plan.limits, seed=seed, quick=True
    )
    save_arrays(plan.trial_folder(trial_id) / WEIGHTS, weights=values_of(model.weights))
    chosen = result.chosen
    return record(
        "completed",
        score=chosen.accuracy,
        latency_seconds=chosen.latency_seconds[1],
        size_bytes=chosen.size_bytes,
        recipe=chosen.recipe,
        candidates=[candidate.to_json() for candidate in result.candidates],
        **reached,
    )


def _footprint(model: Any, hypermodel: TaskHyperModel, plan: Plan, seed: int) -> Footprint:
    """Measured twice before a model is turned away: the neighbour that trains beside it may have been in the way."""

    def measure() -> Footprint:
        return measure_untrained(model, hypermodel.task, settings=plan.export, limits=plan.limits, seed=seed)

    first = measure()
    if first.over is None or first.size_bytes > plan.limits.size_bytes:
        return first
    return min(first, measure(), key=lambda each: (each.over is not None, each.latency_seconds))


def _train(
    hypermodel: TaskHyperModel,
    hp: Any,
    model: Any,
    strategy: Strategy,
    splits: Splits,
    plan: Plan,
    seed: int,
    folder: Path,
    on_epoch: EpochEnd,
) -> Trained:
    def report(epoch: int, accuracy: float) -> bool:
        return on_epoch(model, epoch, accuracy)

    if hasattr(hypermodel.task, "fit"):
        return _own_fit(hypermodel, hp, model, splits, plan.max_epochs, report)
    return train(
        model,
        strategy,
        splits,
        epochs=plan.max_epochs,
        seed=seed,
        report=report,
        checkpoint=folder / _CHECKPOINT,
        task=hypermodel.task,
    )


def _own_fit(hypermodel: TaskHyperModel, hp: Any, model: Any, splits: Splits, epochs: int, report: Report) -> Trained:
    """The task's own loop, watched through a Keras callback. A restart begins it anew: its state is not ours."""
    reports = _Reports(hypermodel.task, splits, report, epochs)
    hypermodel.task.fit(hp, model, splits.train, splits.validation, epochs, [reports])  # type: ignore[attr-defined]
    accuracy = validation_accuracy(model, splits.validation, hypermodel.task)
    return Trained(reports.epochs, accuracy, reports.stopped)


class _Reports(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Reports every epoch; a "stop" ends the training at that epoch."""

    def __init__(self, task: Task, splits: Splits, report: Report, max_epochs: int) -> None:
        super().__init__()
        self._task = task
        self._validation = splits.validation
        self._report = report
        self._max_epochs = max_epochs
        self.epochs = 0
        self.stopped = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs += 1
        if not self._report(self.epochs, validation_accuracy(self.model, self._validation, self._task)):
            self.stopped = self.epochs < self._max_epochs
            self.model.stop_training = True
