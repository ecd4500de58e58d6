"""Trains a trial's model, by our loop or by the task's own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tune.frameworks import Learner
from tune.hypermodel import TaskHyperModel
from tune.training import Report, Trained, train, validation_accuracy


def fit(
    hypermodel: TaskHyperModel,
    hp: Any,
    learner: Learner,
    *,
    seed: int,
    report: Report,
    checkpoint: Path | None = None,
    epochs: int | None = None,
) -> Trained:
    """Trains `learner` for as long as reports are answered with "go on".

    Args:
        hypermodel: Which built it; the task's own `fit` is used where there is one. A restart begins that anew: its
            state is not ours.
        hp: Values of the trial.
        learner: Untrained, or with the incumbent's weights.
        seed: Of the trial.
        report: Called after each epoch.
        checkpoint: See `train`.
        epochs: At most; None for those of the hypermodel.
    """
    task, splits, epochs = hypermodel.task, hypermodel.splits, epochs or hypermodel.max_epochs
    if hypermodel.own_fit is None:
        return train(learner, task, splits, epochs=epochs, seed=seed, report=report, checkpoint=checkpoint)
    done, stopped = 0, False

    def after(epoch: int) -> bool:
        nonlocal done, stopped
        done = epoch
        go_on = report(epoch, validation_accuracy(learner, task, splits.validation))
        stopped = stopped or (not go_on and epoch < epochs)
        return go_on

    learner.fit_own(partial(hypermodel.own_fit, hp), splits, epochs, after)
    return Trained(done, validation_accuracy(learner, task, splits.validation), stopped)
