"""The score interval of a proportion, short and about right: for figures shown to people."""

from __future__ import annotations

import math

from scipy.special import ndtri

from evertune.statistics._checks import check_counts, check_open_unit
from evertune.statistics.interval import Interval


def wilson(successes: int, n: int, confidence_level: float = 0.95) -> Interval:
    """Wilson's interval: all p with |successes / n - p| <= z sqrt(p (1 - p) / n).

    Its coverage is near `confidence_level` on average over p, and can be lower at single p (near 0 and 1 most).
    Where a decision hangs on it, use `clopper_pearson`.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Args:
        successes: Count, 0 <= successes <= n.
        n: Independent trials; 0 gives [0, 1].
        confidence_level: In (0, 1).

    Raises:
        ValueError: Counts or level are out of range.

    Example:
        >>> interval = wilson(90, 100)
        >>> round(interval.lower, 4), round(interval.upper, 4)
        (0.8256, 0.9448)
    """
    check_counts(successes, n)
    check_open_unit("confidence_level", confidence_level)
    if n == 0:
        return Interval(0.0, 1.0, confidence_level)
    z = float(ndtri(0.5 + confidence_level / 2))
    p, shrink = successes / n, 1 + z * z / n
    centre = (p + z * z / (2 * n)) / shrink
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / shrink
    # At 0 and n the end is exact in theory, and must stay so under rounding.
    lower = 0.0 if successes == 0 else max(0.0, centre - half)
    upper = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(lower, upper, confidence_level)
