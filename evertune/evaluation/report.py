"""Evaluates outputs against the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from evertune.errors import DataError, TaskError
from evertune.evaluation._scores import Array, RowSums
from evertune.evaluation.estimate import Estimate
from evertune.evaluation.evaluation import Averages, ClassReport, Evaluation
from evertune.statistics import Interval, clopper_pearson, wilson
from evertune.tensors import Array as AnyArray
from evertune.tensors import Tensors

_LEVEL = 0.95
_NAMES = ("precision", "recall", "f1")
_CHUNK_VALUES = 4_000_000  # float64 row counts held at once, 32 MB


def evaluate(
    task_kind: str, labels: tuple[str, ...], outputs: Tensors, truth: AnyArray, *, seed: int, resamples: int = 500
) -> Evaluation:
    """Accuracy, log loss, calibration, precision, recall and F1 with 95% intervals, and the confusion matrix.

    Definitions are scikit-learn's (`zero_division=0`). Intervals of accuracy, precision and recall are those of a
    proportion; the others are percentile bootstrap intervals over rows, asymptotic.

    Args:
        task_kind: "classification".
        labels: Class names.
        outputs: `probabilities`, shape (rows, classes).
        truth: Class indices, integers, shape (rows,).
        seed: Of the resampling: same arguments, same result.
        resamples: Of the bootstrap, at least 1.

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
    if task_kind != "classification":
        raise TaskError(f"task kind {task_kind!r} has no evaluation", fix="Use 'classification'.", kind=task_kind)
    probabilities, truth = _checked(labels, outputs, truth)
    sums = RowSums.of(probabilities, truth)
    point = sums.scores(np.ones((1, len(truth))))
    draws = _resample(sums, len(truth), seed, resamples)
    predicted = probabilities.argmax(axis=1)
    confusion = np.bincount(truth * len(labels) + predicted, minlength=len(labels) ** 2).reshape(len(labels), -1)
    return Evaluation(
        rows=len(truth),
        accuracy=_proportion(clopper_pearson, int(np.trace(confusion)), len(truth)),
        log_loss=_bootstrapped(point, draws, "log_loss"),
        calibration_error=_bootstrapped(point, draws, "calibration_error"),
        classes=tuple(_class(index, label, confusion, point, draws) for index, label in enumerate(labels)),
        averages={
            kind: Averages(*(_bootstrapped(point, draws, f"{kind}_{name}") for name in _NAMES))
            for kind in ("macro", "micro", "weighted")
        },
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def _checked(labels: tuple[str, ...], outputs: Tensors, truth: AnyArray) -> tuple[Array, npt.NDArray[np.int64]]:
    probabilities, indices = np.asarray(outputs["probabilities"], np.float64), np.asarray(truth, np.int64)
    if probabilities.ndim != 2 or probabilities.shape != (len(indices), len(labels)) or len(indices) == 0:
        raise DataError(
            f"probabilities have shape {list(probabilities.shape)} for {len(indices)} rows and {len(labels)} labels",
            fix="Give one row a label, at least one, and one column a class.",
        )
    if not ((probabilities >= 0) & (probabilities <= 1 + 1e-3)).all():  # NaN is neither
        raise DataError("probabilities are not in [0, 1]", fix="End the model in a softmax.")
    if indices.min() < 0 or indices.max() >= len(labels):
        raise DataError(
            f"class indices {indices.min()}..{indices.max()} do not fit {len(labels)} labels",
            fix="Index the labels from 0.",
        )
    return probabilities, indices


def _resample(sums: RowSums, rows: int, seed: int, resamples: int) -> dict[str, Array]:
    """Scores of each resample; rows are drawn with replacement, in chunks that bound memory."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_VALUES // rows)
    parts = []
    for start in range(0, resamples, chunk):
        draws = rng.integers(rows, size=(min(chunk, resamples - start), rows))
        counts = np.stack([np.bincount(draw, minlength=rows) for draw in draws]).astype(np.float64)
        parts.append(sums.scores(counts))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _class(
    index: int, label: str, confusion: AnyArray, point: dict[str, Array], draws: dict[str, Array]
) -> ClassReport:
    hits, true, predicted = (
        int(n) for n in (confusion[index, index], confusion[index].sum(), confusion[:, index].sum())
    )
    f1 = _bootstrapped({"f1": point["f1"][:, index]}, {"f1": draws["f1"][:, index]}, "f1")
    if true == 0:  # nothing is known of a class that does not occur
        f1 = Estimate(f1.value, Interval(0.0, 1.0, _LEVEL))
    return ClassReport(label, true, Averages(_proportion(wilson, hits, predicted), _proportion(wilson, hits, true), f1))


def _proportion(interval: Callable[[int, int, float], Interval], hits: int, rows: int) -> Estimate:
    return Estimate(hits / rows if rows else 0.0, interval(hits, rows, _LEVEL))


def _bootstrapped(point: dict[str, Array], draws: dict[str, Array], name: str) -> Estimate:
    value = float(point[name][0])
    lower, upper = (float(end) for end in np.quantile(draws[name], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]))
    # The percentiles of a biased score, such as the calibration error, may lie on one side of the value.
    return Estimate(value, Interval(min(lower, value), max(upper, value), _LEVEL))
