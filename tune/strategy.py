"""Training strategy as hyperparameters: batch size, augmentation, class weights, early stopping."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from evertune.task import Task
from evertune.tensors import Array
from tune.augment import AUGMENTATIONS, applies_to

_PATIENCE_EPOCHS = (3, 6)
_UNEVEN_RATIO = 2.0  # of the commonest class to the rarest: below it, weights would change little


@dataclass(frozen=True)
class Strategy:
    """How batches are made, whatever the framework.

    Attributes:
        batch_size: Rows.
        augmentation: One of `tune.augment.AUGMENTATIONS`.
        class_weights: "balanced": every class counts alike in the loss, however rare; or "none".
        patience_epochs: A training ends where the validation accuracy did not rise for so long; 0: it never does.
    """

    batch_size: int
    augmentation: str = "none"
    class_weights: str = "none"
    patience_epochs: int = 0


def choose_strategy(hp: Any, task: Task, labels: Array | None = None, *, max_epochs: int = 0) -> Strategy:
    """Adds `batch_size`, and where they make sense `augmentation`, `class_weights` and `patience_epochs`.

    What the task declared itself stays.

    Args:
        hp: `keras_tuner.HyperParameters`.
        task: An image of its inputs can be augmented.
        labels: Of the training rows: where they are uneven, weights are searched.
        max_epochs: Of a training: early stopping is searched where it could save any.
    """
    batch_size = hp.Choice("batch_size", [32, 64, 128, 256], default=64)
    augmentation, class_weights = "none", "none"
    if applies_to(task.inputs):
        augmentation = hp.Choice("augmentation", list(AUGMENTATIONS))
    # Weights that the task declared are in those of its rows already: balancing them once more would overdo it.
    searched = task.kind == "classification" and task.class_weights is None
    if searched and labels is not None and _uneven(labels):
        class_weights = hp.Choice("class_weights", ["none", "balanced"])
    return Strategy(int(batch_size), str(augmentation), str(class_weights), _choose_patience(hp, max_epochs))


def _choose_patience(hp: Any, max_epochs: int) -> int:
    """Most patient where there is no word on it: schedules lower the rate late, and accuracy rises then."""
    known = [epochs for epochs in _PATIENCE_EPOCHS if epochs < max_epochs]
    if not known:
        return int(hp.values.get("patience_epochs", 0))
    return int(hp.Choice("patience_epochs", [*known, 0], default=known[-1] if len(known) > 1 else 0))


def trains_only_if(hp: Any, name: str, values: Sequence[str]) -> None:
    """Says in `Task.build` that the training strategy matters only if the hyperparameter `name` has one of `values`.

    For a task that gives a network or an estimator of scikit-learn, and asks `hp` which: the rest of the space is then
    known to belong to the network, and is not searched where it does nothing.

    Example:
        family = hp.Choice("family", ["network", "forest"])
        trains_only_if(hp, "family", ["network"])
    """
    hp.training_condition = (name, list(values))


def training_scope(hp: Any) -> AbstractContextManager[Any]:
    """The conditional scope of the training strategy: what `trains_only_if` said, else no condition."""
    condition = getattr(hp, "training_condition", None)
    return nullcontext() if condition is None else hp.conditional_scope(*condition)


def balanced(labels: Array) -> Array:
    """A weight a row, so that each class that occurs weighs the same, and the mean is one.

    Example:
        >>> balanced(np.array([0, 0, 0, 1])).round(2).tolist()
        [0.67, 0.67, 0.67, 2.0]
    """
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(len(labels) / (len(counts) * counts))[places]


def _uneven(labels: Array) -> bool:
    _, counts = np.unique(labels, return_counts=True)
    return bool(counts.max() > _UNEVEN_RATIO * counts.min())
