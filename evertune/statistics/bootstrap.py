"""The percentile interval, for statistics that have no formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from evertune.statistics._checks import check_open_unit
from evertune.statistics.interval import Interval


def bootstrap(
    statistic: Callable[..., float],
    *arrays: npt.NDArray[Any],
    resamples: int,
    confidence_level: float,
    rng: np.random.Generator,
) -> Interval:
    """Quantiles of `statistic` over rows drawn with replacement, the same rows from every array.

    Asymptotic: coverage is about `confidence_level` for smooth statistics of many independent rows; too low for few
    rows, extremes, and streams whose rows depend on each other.

    Source: B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979).

    Args:
        statistic: Takes the resampled arrays, returns one number.
        *arrays: Equal first axis, the rows.
        resamples: Draws, at least 1; 500 or more for a 95% interval.
        confidence_level: In (0, 1).
        rng: Source of the draws.

    Raises:
        ValueError: No rows, arrays of unequal length, or no resamples.

    Example:
        >>> values = np.arange(100.0)
        >>> interval = bootstrap(np.mean, values, resamples=500, confidence_level=0.9, rng=np.random.default_rng(0))
        >>> interval.lower < 49.5 < interval.upper
        True
    """
    check_open_unit("confidence_level", confidence_level)
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"arrays must have the same number of rows, at least 1, got {sorted(lengths)!r}")
    if resamples < 1:
        raise ValueError(f"resamples must be 1 or more, got {resamples!r}")
    rows = lengths.pop()
    draws = (rng.integers(rows, size=rows) for _ in range(resamples))
    figures = [float(statistic(*(array[draw] for array in arrays))) for draw in draws]
    tail = (1 - confidence_level) / 2
    lower, upper = np.quantile(figures, [tail, 1 - tail])
    return Interval(float(lower), float(upper), confidence_level)
