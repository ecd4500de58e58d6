"""The interval of a median that assumes nothing about the values' law."""

from __future__ import annotations

import numpy as np
from scipy.special import bdtr

from evertune.statistics._checks import check_open_unit
from evertune.statistics.interval import Interval


def median_interval(values: list[float], confidence_level: float = 0.95) -> Interval:
    """The narrowest pair of order statistics, equally far from both ends, that covers the median often enough.

    Coverage is at least `confidence_level` for independent values of any one continuous law.

    Source: W. R. Thompson, "On confidence ranges for the median and other expectation distributions for populations of
    unknown distribution form", Annals of Mathematical Statistics 7 (1936).

    Args:
        values: Independent draws; at least 6 for a level of 0.95.
        confidence_level: In (0, 1).

    Raises:
        ValueError: Even the smallest and the largest value are too close together for this level.

    Example:
        >>> median_interval([float(value) for value in range(1, 26)])
        Interval(lower=8.0, upper=18.0, confidence_level=0.95)
    """
    check_open_unit("confidence_level", confidence_level)
    count, tail = len(values), (1 - confidence_level) / 2
    if not count or bdtr(0, count, 0.5) > tail:
        raise ValueError(f"{count} values are too few for the median's interval at level {confidence_level!r}")
    left_out = int(np.searchsorted(bdtr(np.arange(count), count, 0.5), tail, side="right")) - 1  # at either end
    ordered = sorted(values)
    return Interval(ordered[left_out], ordered[-1 - left_out], confidence_level)
