"""Weights of classes, as weights of training rows: every framework and every loss then takes them alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import Array

BALANCED = "balanced"


def with_class_weights(task: Task, splits: Splits) -> Splits:
    """The splits with `Task.class_weights` multiplied into the weights of training rows.

    Validation, calibration and test rows keep theirs: what is measured is what is served.

    Args:
        task: Declares the weights.
        splits: Checked.
    """
    if task.class_weights is None:
        return splits
    by_class = _by_class(task, splits.train)
    weights = splits.train.weights * by_class[splits.train.labels]
    return replace(splits, train=replace(splits.train, weights=weights.astype(np.float32)))


def class_weight_problems(task: Task) -> list[tuple[str, str]]:
    """What is wrong with `Task.class_weights`, and what to do about it."""
    weights = task.class_weights
    if weights is None:
        return []
    if task.kind != "classification":
        return [(f"has class_weights and the kind {task.kind!r}", "Leave class_weights out; give Rows weights.")]
    if weights == BALANCED:
        return []
    fix = 'Set class_weights to "balanced", or to positive numbers by class name.'
    if not isinstance(weights, Mapping):
        return [(f"has class_weights {weights!r}", fix)]
    wrong = [name for name, weight in weights.items() if name not in task.labels or not _is_weight(weight)]
    return [(f"has class_weights {wrong[0]!r}: {weights[wrong[0]]!r}", fix)] if wrong else []


def _by_class(task: Task, rows: Rows) -> Array:
    """A weight a class. Balanced: total weight / (classes that occur * weight of the class), as in scikit-learn."""
    weights = task.class_weights
    if isinstance(weights, Mapping):
        return np.array([float(weights.get(name, 1.0)) for name in task.labels])
    totals = np.bincount(rows.labels, weights=rows.weights, minlength=len(task.labels))
    balanced: Array = np.divide(totals.sum() / (totals > 0).sum(), totals, out=np.ones(len(totals)), where=totals > 0)
    return balanced


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
