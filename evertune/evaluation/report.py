"""Evaluates outputs against the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from evertune.evaluation.evaluation import Evaluation, Slice
from evertune.kinds import Parameters, kind_of
from evertune.tensors import Array, Tensors


def evaluate(
    task_kind: str,
    labels: tuple[str, ...],
    outputs: Tensors,
    truth: Array,
    *,
    seed: int,
    resamples: int = 500,
    parameters: Parameters | None = None,
    slices: Mapping[str, Array] | None = None,
) -> Evaluation:
    """All metrics of the task's kind with 95% intervals, on all rows and on named slices.

    Args:
        task_kind: "classification", "multilabel", "regression" or "ranking".
        labels: Of the task.
        outputs: Of the model.
        truth: As `Rows.labels`.
        seed: Of the resampling: same arguments, same result.
        resamples: Of the bootstrap, at least 1.
        parameters: Of the kind; see `Task.parameters`.
        slices: Boolean masks by name, shape (rows,).

    Raises:
        TaskError: Another kind of task.
        DataError: No rows, or outputs, labels and truth do not fit each other.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
        >>> outputs, truth = {"probabilities": probabilities}, np.array([0, 1, 1, 1])
        >>> found = evaluate("classification", ("cat", "dog"), outputs, truth, seed=0)
        >>> found.accuracy.value, found.classes[0].scores.precision.value, found.confusion
        (0.75, 0.5, ((1, 0), (1, 2)))
    """
    kind = kind_of(task_kind)

    def judge(chosen: Array | slice) -> Evaluation:
        part = {name: value[chosen] for name, value in outputs.items()}
        known = {} if parameters is None else parameters
        return kind.evaluate(labels, part, truth[chosen], parameters=known, seed=seed, resamples=resamples)

    whole = judge(slice(None))
    return whole.with_slices({name: _slice(judge, np.asarray(mask, bool)) for name, mask in (slices or {}).items()})


def _slice(judge: Callable[[Array], Evaluation], mask: Array) -> Slice:
    if not mask.any():
        return Slice(0, None, {})
    part = judge(mask)
    return Slice(part.rows, part.score, part.metrics)
