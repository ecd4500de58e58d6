"""ROC AUC and average precision of many resamples at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evertune.evaluation._resampling import Array

_MOST_VALUES = 100_000_000  # row counts times classes: about two seconds


class Ranked:
    """Each class against the rest.

    Ties are handled as in scikit-learn: rows of one score count together. NaN where a side has no rows.

    Sources: J. Hanley and B. McNeil, "The meaning and use of the area under a ROC curve", Radiology 143 (1982); average
    precision without interpolation, M. Zhu, "Recall, precision and average precision", Waterloo 2004-09.

    Args:
        scores: Shape (rows, classes).
        holds: 0 or 1, same shape.
        resamples: That the caller will ask for; where they are too much work, the first of them must do.
    """

    def __init__(self, scores: Array, holds: npt.NDArray[np.generic], resamples: int) -> None:
        self._left = 1 + max(
            20, min(resamples, _MOST_VALUES // max(1, scores.size))
        )  # one more for the rows themselves
        self._columns = [_sorted(scores[:, index], holds[:, index]) for index in range(scores.shape[1])]

    def scores(self, counts: Array) -> dict[str, Array]:
        """Both by class, shape (resamples, classes), and their means over the classes that have both sides."""
        counts, self._left = counts[: self._left], max(0, self._left - len(counts))
        pairs = [_areas(counts, *column) for column in self._columns]
        found = {name: np.stack(parts, axis=1) for name, parts in zip(_NAMES, zip(*pairs, strict=True), strict=True)}
        return {**found, **{f"macro_{name}": _known_mean(found[name], found["roc_auc"]) for name in _NAMES}}


_NAMES = ("roc_auc", "average_precision")
_Column = tuple[npt.NDArray[np.int64], Array, npt.NDArray[np.int64]]


def _sorted(scores: Array, holds: npt.NDArray[np.generic]) -> _Column:
    """Rows by falling score, who holds in that order, and where each group of equal scores ends."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    return order, holds[order].astype(np.float64), ends


def _areas(
    counts: Array, order: npt.NDArray[np.int64], holds: Array, ends: npt.NDArray[np.int64]
) -> tuple[Array, Array]:
    drawn = counts[:, order]
    hits = np.cumsum(drawn * holds, axis=1)[:, ends]
    above = np.cumsum(drawn, axis=1)[:, ends]
    misses = above - hits
    positives, negatives = hits[:, -1:], misses[:, -1:]
    gained, steps = (np.diff(values, axis=1, prepend=0.0) for values in (hits, misses))
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (steps * (hits - gained / 2)).sum(axis=1) / (positives * negatives)[:, 0]
        precision = np.divide(hits, above, out=np.zeros_like(hits), where=above > 0)
        average = (gained * precision).sum(axis=1) / positives[:, 0]
    return np.where(np.isfinite(auc), auc, np.nan), np.where(np.isfinite(average), average, np.nan)


def _known_mean(values: Array, known_by: Array) -> Array:
    known = ~np.isnan(known_by)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean: Array = np.divide(total, known.sum(axis=1), out=np.full(len(values), np.nan), where=known.any(axis=1))
    return mean
