"""Trains one model epoch by epoch and asks after each whether to go on: the loop that all frameworks share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import Array
from tune.augment import augment
from tune.frameworks import Learner, Lesson
from tune.strategy import Strategy, balanced
from tune.weights import load_arrays, save_arrays

Report = Callable[[int, float], bool]
"""Given epochs trained and validation accuracy; returns whether to go on."""


@dataclass(frozen=True)
class Trained:
    """How a training ended. The model holds the weights of its best epoch.

    Attributes:
        epochs: Trained in all.
        accuracy: Of the best epoch, on validation rows.
        stopped: A report was answered with "stop".
    """

    epochs: int
    accuracy: float
    stopped: bool


def train(
    learner: Learner,
    task: Task,
    splits: Splits,
    *,
    epochs: int,
    seed: int,
    report: Report,
    checkpoint: Path | None = None,
) -> Trained:
    """Trains a model, from its checkpoint where there is one.

    Order, augmentation and dropout of an epoch depend on seed and epoch alone, so a training that was killed goes on
    as it would have: at most one epoch is done twice.

    Args:
        learner: Of some framework.
        task: Its kind says how good an answer is.
        splits: Train and validation are used.
        epochs: At most; scikit-learn has one.
        seed: Of the trial.
        report: Called after each epoch.
        checkpoint: File for the state after each epoch; None keeps none.

    Raises:
        FloatingPointError: The loss is not a finite number any more.
    """
    state = _State(learner, checkpoint)
    most = min(epochs, learner.most_epochs or epochs)
    done = state.restore()
    go_on = report(done, state.accuracies[-1]) if done else True  # the answer may have been lost with the process
    patience = learner.strategy.patience_epochs if learner.strategy is not None else 0
    while go_on and done < most and not is_overdue(state.accuracies, patience):
        random = np.random.default_rng((seed, done))
        drawn = int(random.integers(2**31))  # for what the framework itself draws
        loss = learner.train_epoch(lesson(learner.strategy, splits.train, random), epoch=done, seed=drawn)
        if not math.isfinite(loss):
            raise FloatingPointError(f"the training loss became {loss} in epoch {done + 1}")
        done += 1
        accuracy = validation_accuracy(learner, task, splits.validation)
        state.keep(accuracy)
        go_on = report(done, accuracy)
    if learner.keeps_weights:
        learner.assign(state.best)
    return Trained(done, max(state.accuracies), stopped=not go_on and done < most)


def is_overdue(accuracies: Sequence[float], patience_epochs: int) -> bool:
    """Whether none of the last `patience_epochs` was better than the best one before; never, where that is 0.

    Example:
        >>> is_overdue([0.5, 0.7, 0.6, 0.7], 2), is_overdue([0.5, 0.7, 0.6], 2), is_overdue([0.5] * 9, 0)
        (True, False, False)
    """
    last = accuracies[-patience_epochs:] if patience_epochs else ()
    before = accuracies[: len(accuracies) - len(last)]
    return bool(last and before) and max(last) <= max(before)


def validation_accuracy(learner: Learner, task: Task, rows: Rows) -> float:
    """One minus the weighted mean loss of the rows, computed by the training framework; 1 is perfect."""
    outputs = learner.predict(rows.inputs)
    if not np.isfinite(outputs).all():
        raise FloatingPointError("the model's outputs are not finite numbers")
    spec = task.signature.outputs[0]
    losses = row_losses(task.kind, {spec.name: outputs}, rows.labels, task.parameters)
    return 1.0 - float(np.average(losses, weights=rows.weights))


def lesson(strategy: Strategy | None, rows: Rows, random: np.random.Generator) -> Lesson:
    """The rows of an epoch: shuffled, augmented and weighted; as they are where there are no batches."""
    weights = sample_weights(rows)
    if strategy is None:
        return Lesson(rows.inputs, rows.labels, weights)
    if strategy.class_weights == "balanced":
        weights = balanced(rows.labels) * (1.0 if weights is None else weights)
    order = random.permutation(len(rows))
    inputs = {name: value[order] for name, value in rows.inputs.items()}
    if strategy.augmentation != "none":
        inputs = {name: augment(value, strategy.augmentation, random) for name, value in inputs.items()}
    return Lesson(inputs, rows.labels[order], None if weights is None else weights[order].astype(np.float32))


def sample_weights(rows: Rows) -> Array | None:
    """Weights of mean one; None where all are equal, which saves a multiplication a step."""
    return None if np.ptp(rows.weights) == 0 else rows.weights / rows.weights.mean()


class _State:
    """What must survive a kill: the learner's own state, accuracies, and the best epoch's weights."""

    def __init__(self, learner: Learner, path: Path | None) -> None:
        self._learner = learner
        self._path = path
        self.accuracies: list[float] = []
        self.best: list[Array] = []

    def restore(self) -> int:
        """Loads the checkpoint; returns the epochs done."""
        if self._path is None or not self._path.exists():
            return 0
        saved = load_arrays(self._path)
        if not self._learner.restore(saved):
            return 0  # the task builds another model now
        self.accuracies, self.best = saved["accuracies"][0].tolist(), saved["best"]
        return len(self.accuracies)

    def keep(self, accuracy: float) -> None:
        """Notes an epoch and writes the checkpoint."""
        if not self.accuracies or accuracy > max(self.accuracies):
            self.best = self._learner.weights()
        self.accuracies.append(accuracy)
        state = self._learner.state() if self._path is not None else None
        if self._path is not None and state is not None:
            save_arrays(self._path, **state, accuracies=[np.array(self.accuracies)], best=self.best)
