"""Evaluates class probabilities against the truth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evertune.errors import DataError
from evertune.evaluation._ranked import Ranked
from evertune.evaluation._resampling import LEVEL, Array, Bootstrap, proportion
from evertune.evaluation._scores import RowSums
from evertune.evaluation.estimate import Estimate
from evertune.evaluation.evaluation import Averages, ClassReport, Evaluation
from evertune.statistics import Interval, clopper_pearson, wilson
from evertune.tensors import Array as AnyArray
from evertune.tensors import Tensors

NAMES = ("precision", "recall", "f1")
AVERAGES = ("macro", "micro", "weighted")


def evaluate_classification(
    labels: tuple[str, ...], outputs: Tensors, truth: AnyArray, *, seed: int, resamples: int
) -> Evaluation:
    """Accuracy, log loss, calibration, ROC AUC, average precision, precision, recall, F1, and the confusion matrix.

    Definitions are scikit-learn's (`zero_division=0`; one against the rest). Intervals of accuracy (exact,
    Clopper-Pearson), precision and recall are those of a proportion; the others are bootstrap intervals over rows.

    Args:
        labels: Class names.
        outputs: `probabilities`, shape (rows, classes).
        truth: Class indices, integers, shape (rows,).
        seed: Of the resampling.
        resamples: Of the bootstrap, at least 1.

    Raises:
        DataError: No rows, or outputs, labels and truth do not fit each other.
    """
    probabilities, indices = _checked(labels, outputs, truth)
    sums, ranked = RowSums.of(probabilities, indices), Ranked(probabilities, np.eye(len(labels))[indices], resamples)
    bootstrap = Bootstrap(
        lambda counts: {**sums.scores(counts), **ranked.scores(counts)}, len(indices), seed=seed, resamples=resamples
    )
    predicted = probabilities.argmax(axis=1)
    confusion = np.bincount(indices * len(labels) + predicted, minlength=len(labels) ** 2).reshape(len(labels), -1)
    accuracy = proportion(clopper_pearson, int(np.trace(confusion)), len(indices))
    return Evaluation(
        kind="classification",
        rows=len(indices),
        score=accuracy,
        metrics={
            "accuracy": accuracy,
            "log_loss": bootstrap.estimate("log_loss"),
            "calibration_error": bootstrap.estimate("calibration_error"),
            "roc_auc": bootstrap.estimate("macro_roc_auc"),
            "average_precision": bootstrap.estimate("macro_average_precision", unknown=0.0),
        },
        classes=tuple(_class(index, label, confusion, bootstrap) for index, label in enumerate(labels)),
        averages=averages(bootstrap),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def averages(bootstrap: Bootstrap) -> dict[str, Averages]:
    """Macro, micro and weighted means of precision, recall and F1."""
    return {kind: Averages(*(bootstrap.estimate(f"{kind}_{name}") for name in NAMES)) for kind in AVERAGES}


def class_report(index: int, label: str, hits: int, true: int, predicted: int, bootstrap: Bootstrap) -> ClassReport:
    """One class from its counts; `hits` are rows of the class that were predicted to be."""
    f1 = bootstrap.estimate("f1", index)
    if true == 0:  # nothing is known of a class that does not occur
        f1 = Estimate(f1.value, Interval(0.0, 1.0, LEVEL))
    scores = Averages(proportion(wilson, hits, predicted), proportion(wilson, hits, true), f1)
    average_precision = bootstrap.estimate("average_precision", index, unknown=0.0)
    return ClassReport(label, true, scores, bootstrap.estimate("roc_auc", index), average_precision)


def _checked(labels: tuple[str, ...], outputs: Tensors, truth: AnyArray) -> tuple[Array, npt.NDArray[np.int64]]:
    probabilities, indices = np.asarray(outputs["probabilities"], np.float64), np.asarray(truth, np.int64)
    check_shape(probabilities, (len(indices), len(labels)), "probabilities")
    if not ((probabilities >= 0) & (probabilities <= 1 + 1e-3)).all():  # NaN is neither
        raise DataError("probabilities are not in [0, 1]", fix="End the model in a softmax.")
    if indices.min() < 0 or indices.max() >= len(labels):
        raise DataError(
            f"class indices {indices.min()}..{indices.max()} do not fit {len(labels)} labels",
            fix="Index the labels from 0.",
        )
    return probabilities, indices


def check_shape(values: AnyArray, wanted: tuple[int, int], what: str) -> None:
    """Checks that there are rows, as many as labels, with the right number of columns.

    Raises:
        DataError: Names both shapes.
    """
    if values.shape != wanted or wanted[0] == 0:
        raise DataError(
            f"{what} have shape {list(values.shape)} for {wanted[0]} rows and {wanted[1]} labels",
            fix="Give one row a label, at least one, and one column a class.",
        )


def _class(index: int, label: str, confusion: AnyArray, bootstrap: Bootstrap) -> ClassReport:
    hits, true, predicted = confusion[index, index], confusion[index].sum(), confusion[:, index].sum()
    return class_report(index, label, int(hits), int(true), int(predicted), bootstrap)
