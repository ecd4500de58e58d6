"""Accuracy without labels: the mean of calibrated confidence."""

from __future__ import annotations

import math

from scipy.special import ndtri

from evertune.statistics._checks import check_open_unit
from evertune.statistics.interval import Interval


def estimated_accuracy(
    confidence_sum: float,
    variance_sum: float,
    rows: int,
    *,
    calibration_rows: int,
    confidence_level: float = 0.95,
) -> tuple[float, Interval]:
    """Average calibrated confidence, and how far the accuracy of these very rows may be from it.

    Given that the confidence map still holds, the number right among the rows has mean sum(c) and variance
    sum(c (1 - c)). The map was fitted on `calibration_rows` rows, which adds about the same variance per row. Both
    enter a score interval, so that it has width even where every confidence is 1. The interval says nothing about a
    change in the relation of inputs and labels (concept drift), which the estimate cannot see and usually misses on the
    bright side: it may warn, never decide.

    Sources: average confidence, J. Kivimaki et al., arXiv 2407.08649; the variance is that of a Poisson binomial count;
    the form of the interval, E. B. Wilson, JASA 22 (1927), with that variance in place of p (1 - p).

    Args:
        confidence_sum: Sum of calibrated confidences c.
        variance_sum: Sum of c (1 - c).
        rows: Their number.
        calibration_rows: Rows that the confidence map was fitted on.
        confidence_level: In (0, 1).

    Returns:
        The estimate and its interval. Without rows 0.5 and [0, 1].

    Raises:
        ValueError: Sums or counts are out of range.

    Example:
        >>> value, interval = estimated_accuracy(90.0, 8.0, 100, calibration_rows=400)
        >>> round(value, 3), round(interval.lower, 3), round(interval.upper, 3)
        (0.9, 0.818, 0.945)
    """
    check_open_unit("confidence_level", confidence_level)
    if rows < 0 or calibration_rows < 0 or not 0 <= confidence_sum <= rows + 1e-6 or not 0 <= variance_sum <= rows:
        raise ValueError(f"sums must lie in [0, rows], got {confidence_sum!r} and {variance_sum!r} of {rows!r}")
    if rows == 0 or calibration_rows == 0:
        value = min(1.0, confidence_sum / rows) if rows else 0.5
        return value, Interval(0.0, 1.0, confidence_level)
    value = min(1.0, confidence_sum / rows)
    effective = 1 / (1 / rows + 1 / calibration_rows)
    part = float(ndtri(0.5 + confidence_level / 2)) ** 2 / effective
    centre = (value + part / 2) / (1 + part)
    half = math.sqrt(part * variance_sum / rows + part * part / 4) / (1 + part)
    # Rounding must not push the estimate itself out of its interval.
    return value, Interval(max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half)), confidence_level)
