"""The exact interval of a proportion."""

from __future__ import annotations

from scipy.special import betaincinv

from evertune.statistics._checks import check_counts, check_open_unit
from evertune.statistics.interval import Interval


def clopper_pearson(successes: int, n: int, confidence_level: float = 0.95) -> Interval:
    """All p that neither one-sided exact binomial test rejects at (1 - confidence_level) / 2.

    Coverage is at least `confidence_level` for every p and n.

    Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934), in its form with quantiles of the beta distribution.

    Args:
        successes: Count, 0 <= successes <= n.
        n: Independent trials; 0 gives [0, 1].
        confidence_level: In (0, 1).

    Raises:
        ValueError: Counts or level are out of range.

    Example:
        >>> interval = clopper_pearson(90, 100)
        >>> round(interval.lower, 4), round(interval.upper, 4)
        (0.8238, 0.951)
    """
    check_counts(successes, n)
    check_open_unit("confidence_level", confidence_level)
    tail = (1 - confidence_level) / 2
    lower = float(betaincinv(successes, n - successes + 1, tail)) if successes > 0 else 0.0
    upper = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return Interval(lower, upper, confidence_level)
