"""Evaluates label probabilities, each for itself, against the truth."""

from __future__ import annotations

import numpy as np

from evertune.errors import DataError
from evertune.evaluation._ranked import Ranked
from evertune.evaluation._resampling import Array, Bootstrap, ratio
from evertune.evaluation._scores import BINS
from evertune.evaluation.classification import averages, check_shape, class_report
from evertune.evaluation.evaluation import Evaluation
from evertune.tensors import Array as AnyArray

_METRICS = ("exact_match", "hamming_loss", "log_loss", "calibration_error")


def evaluate_multilabel(
    labels: tuple[str, ...],
    probabilities: AnyArray,
    truth: AnyArray,
    losses: Array,
    *,
    threshold: float,
    seed: int,
    resamples: int,
) -> Evaluation:
    """Score, exact match, Hamming loss, log loss, calibration, ROC AUC, average precision, precision, recall and F1.

    Definitions are scikit-learn's (`zero_division=0`). Log loss is the mean over labels; the calibration error is over
    all pairs of row and label, between probability and share that holds.

    Args:
        labels: Their names.
        probabilities: Shape (rows, labels).
        truth: 0 or 1, same shape.
        losses: Bounded loss of each row.
        threshold: From which a label is predicted.
        seed: Of the resampling.
        resamples: Of the bootstrap, at least 1.

    Raises:
        DataError: No rows, or outputs, labels and truth do not fit each other.
    """
    # The decision is the server's own, in float32: 0.5 there must not become 0.4999 here.
    predicted = (np.asarray(probabilities) >= threshold).astype(np.float64)
    values, holds = np.asarray(probabilities, np.float64), np.asarray(truth, np.float64)
    check_shape(values, (len(holds), len(labels)), "probabilities")
    if not ((values >= 0) & (values <= 1 + 1e-3)).all():  # NaN is neither
        raise DataError("probabilities are not in [0, 1]", fix="End the model in a sigmoid.")
    if holds.shape != values.shape or not np.isin(holds, (0.0, 1.0)).all():
        raise DataError("the truth is not 0 or 1 for each row and label", fix="Give uint8, shape (rows, labels).")
    columns = _columns(values, holds, predicted, losses)
    ranked = Ranked(values, holds, resamples)
    bootstrap = Bootstrap(
        lambda counts: {**_scores(counts @ columns, counts.sum(axis=1), len(labels)), **ranked.scores(counts)},
        len(holds),
        seed=seed,
        resamples=resamples,
    )
    hits, true, found = (part.sum(axis=0).astype(int).tolist() for part in (holds * predicted, holds, predicted))
    return Evaluation(
        kind="multilabel",
        rows=len(holds),
        score=bootstrap.estimate("score"),
        metrics={
            **{name: bootstrap.estimate(name) for name in _METRICS},
            "roc_auc": bootstrap.estimate("macro_roc_auc"),
            "average_precision": bootstrap.estimate("macro_average_precision", unknown=0.0),
        },
        classes=tuple(
            class_report(index, label, hits[index], true[index], found[index], bootstrap)
            for index, label in enumerate(labels)
        ),
        averages=averages(bootstrap),
    )


def _columns(values: Array, holds: Array, predicted: Array, losses: Array) -> Array:
    """What the scores need of each row, summed: counts by label, then bins, then means."""
    bins = np.minimum((values * BINS).astype(np.int64), BINS - 1)
    by_bin = [[((bins == each) * part).sum(axis=1) for each in range(BINS)] for part in (values, holds)]
    clipped = np.clip(values, 1e-7, 1 - 1e-7)  # float32's resolution near 1
    log_loss = -(holds * np.log(clipped) + (1 - holds) * np.log(1 - clipped)).mean(axis=1)
    wrong = holds != predicted
    means = [1 - losses, ~wrong.any(axis=1), wrong.mean(axis=1), log_loss]
    return np.column_stack([holds, predicted, holds * predicted, *by_bin[0], *by_bin[1], *means])


def _scores(sums: Array, rows: Array, labels: int) -> dict[str, Array]:
    true, predicted, hits = np.split(sums[:, : 3 * labels], 3, axis=1)
    confidence, share = np.split(sums[:, 3 * labels : 3 * labels + 2 * BINS], 2, axis=1)
    means = sums[:, -4:] / rows[:, None]
    scores = dict(zip(("score", *_METRICS), means.T, strict=False))
    scores["calibration_error"] = np.abs(confidence - share).sum(axis=1) / (rows * labels)
    parts = {"precision": (hits, predicted), "recall": (hits, true), "f1": (2 * hits, true + predicted)}
    for name, (above, below) in parts.items():
        scores[name] = ratio(above, below)
        scores[f"macro_{name}"] = scores[name].mean(axis=1)
        scores[f"micro_{name}"] = ratio(above.sum(axis=1), below.sum(axis=1))
        scores[f"weighted_{name}"] = ratio((scores[name] * true).sum(axis=1), true.sum(axis=1))
    return scores
