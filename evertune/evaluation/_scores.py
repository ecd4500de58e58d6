"""Scores of classes for many resamples at once, from sums over rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evertune.evaluation._resampling import Array, ratio

BINS = 15  # Guo et al., "On calibration of modern neural networks", ICML 2017


@dataclass(frozen=True)
class RowSums:
    """What the scores need of each row, so that a resample is one matrix product with row counts.

    Attributes:
        columns: Shape (rows, 3 classes + 2 bins + 1): true, predicted and hit class, then confidence and hits by bin of
            confidence, then log loss.
        classes: Number of classes.
    """

    columns: Array
    classes: int

    @classmethod
    def of(cls, probabilities: Array, truth: npt.NDArray[np.int64]) -> RowSums:
        """Args: probabilities (rows, classes), truth (rows,)."""
        classes = probabilities.shape[1]
        predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        hit = (predicted == truth).astype(np.float64)[:, None]
        true_class = np.eye(classes)[truth]
        bins = np.eye(BINS)[np.minimum((confidence * BINS).astype(np.int64), BINS - 1)]
        # float32 softmax underflows to 0 where the loss is not infinite; 1e-7 is its resolution near 1.
        loss = -np.log(np.clip(probabilities[np.arange(len(truth)), truth], 1e-7, 1.0))[:, None]
        parts = [true_class, np.eye(classes)[predicted], true_class * hit]
        return cls(np.hstack([*parts, bins * confidence[:, None], bins * hit, loss]), classes)

    def scores(self, counts: Array) -> dict[str, Array]:
        """Scores by name for each row of `counts`, shape (resamples, rows): how often each row was drawn.

        Per-class scores have shape (resamples, classes), the others (resamples,).
        """
        sums = counts @ self.columns
        true, predicted, hits = np.split(sums[:, : 3 * self.classes], 3, axis=1)
        bin_confidence, bin_hits = np.split(sums[:, 3 * self.classes : -1], 2, axis=1)
        rows = counts.sum(axis=1)
        precision, recall, f1 = ratio(hits, predicted), ratio(hits, true), ratio(2 * hits, true + predicted)
        occurs = (true + predicted > 0).astype(np.float64)
        scores = {
            "log_loss": sums[:, -1] / rows,
            "calibration_error": np.abs(bin_confidence - bin_hits).sum(axis=1) / rows,
        }
        for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
            scores[name] = values
            scores[f"macro_{name}"] = ratio((values * occurs).sum(axis=1), occurs.sum(axis=1))
            scores[f"weighted_{name}"] = ratio((values * true).sum(axis=1), true.sum(axis=1))
            scores[f"micro_{name}"] = hits.sum(axis=1) / rows  # one label a row: all three equal the accuracy
        return scores
