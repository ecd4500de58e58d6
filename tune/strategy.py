"""Training strategy as hyperparameters: batch size, augmentation, class weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evertune.task import Task
from evertune.tensors import Array
from tune.augment import AUGMENTATIONS, applies_to

_UNEVEN_RATIO = 2.0  # of the commonest class to the rarest: below it, weights would change little


@dataclass(frozen=True)
class Strategy:
    """How batches are made, whatever the framework.

    Attributes:
        batch_size: Rows.
        augmentation: One of `tune.augment.AUGMENTATIONS`.
        class_weights: "balanced": every class counts alike in the loss, however rare; or "none".
    """

    batch_size: int
    augmentation: str = "none"
    class_weights: str = "none"


def choose_strategy(hp: Any, task: Task, labels: Array | None = None) -> Strategy:
    """Adds `batch_size`, and where they make sense `augmentation` and `class_weights`.

    What the task declared itself stays.

    Args:
        hp: `keras_tuner.HyperParameters`.
        task: An image of its inputs can be augmented.
        labels: Of the training rows: where they are uneven, weights are searched.
    """
    batch_size = hp.Choice("batch_size", [32, 64, 128, 256], default=64)
    augmentation, class_weights = "none", "none"
    if applies_to(task.inputs):
        augmentation = hp.Choice("augmentation", list(AUGMENTATIONS))
    # Weights that the task declared are in those of its rows already: balancing them once more would overdo it.
    searched = task.kind == "classification" and task.class_weights is None
    if searched and labels is not None and _uneven(labels):
        class_weights = hp.Choice("class_weights", ["none", "balanced"])
    return Strategy(int(batch_size), str(augmentation), str(class_weights))


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
