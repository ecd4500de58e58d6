"""The bootstrap over rows, for scores that depend only on how often each row was drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from evertune.evaluation.estimate import Estimate
from evertune.statistics import Interval

Array = npt.NDArray[np.float64]
Scores = Callable[[Array], dict[str, Array]]
"""From counts, shape (resamples, rows), to scores by name, shape (resamples,) or (resamples, classes)."""

LEVEL = 0.95
_CHUNK_VALUES = 4_000_000  # float64 row counts held at once, 32 MB


class Bootstrap:
    """Scores of the rows themselves and of resamples with replacement.

    Source: B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979); percentile
    intervals, asymptotic.

    Args:
        scores: What is asked.
        rows: Their number.
        seed: Same arguments, same result.
        resamples: At least 1.
    """

    def __init__(self, scores: Scores, rows: int, *, seed: int, resamples: int) -> None:
        rng = np.random.default_rng(seed)
        self._point = scores(np.ones((1, rows)))
        chunk = max(1, _CHUNK_VALUES // rows)
        parts = []
        for start in range(0, resamples, chunk):
            draws = rng.integers(rows, size=(min(chunk, resamples - start), rows))
            parts.append(scores(np.stack([np.bincount(draw, minlength=rows) for draw in draws]).astype(np.float64)))
        self._draws = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def estimate(self, name: str, index: int | None = None, *, unknown: float = 0.5) -> Estimate:
        """One score, or one class of it, with its 95% interval.

        Args:
            name: Of the score.
            index: Of the class.
            unknown: The value, with the interval [0, 1], where the rows do not define the score (NaN).
        """
        chosen = (...,) if index is None else (..., index)
        value, draws = float(self._point[name][chosen][0]), self._draws[name][chosen]
        known = draws[~np.isnan(draws)]
        if np.isnan(value) or len(known) == 0:
            return Estimate(unknown, Interval(0.0, 1.0, LEVEL))
        lower, upper = (float(end) for end in np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
        # The percentiles of a biased score, such as the calibration error, may lie on one side of the value.
        return Estimate(value, Interval(min(lower, value), max(upper, value), LEVEL))


def proportion(interval: Callable[[int, int, float], Interval], hits: int, rows: int) -> Estimate:
    """A share, with a proportion's interval."""
    return Estimate(hits / rows if rows else 0.0, interval(hits, rows, LEVEL))


def ratio(numerator: Array, denominator: Array) -> Array:
    """0 where the denominator is, as scikit-learn's `zero_division=0`."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
