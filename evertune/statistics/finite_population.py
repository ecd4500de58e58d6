"""The accuracy of a fixed set of rows of which only some are labelled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from evertune.statistics._checks import check_counts, check_open_unit
from evertune.statistics.interval import Interval


def finite_population(successes: int, labelled: int, population: int, confidence_level: float = 0.95) -> Interval:
    """An exact interval for the share of successes among all `population` rows, labelled or not.

    The rows are taken as they are: no model of how they came about, no independence. What must be random is who is
    labelled: `labelled` rows drawn uniformly without replacement. With every row labelled the interval is one point.
    Coverage is at least `confidence_level` for every population.

    Source: inversion of the two one-sided hypergeometric tests, W. G. Cochran, "Sampling Techniques" (1977), section
    3.6; J. Buonaccorsi, "A note on confidence intervals for proportions in finite populations", American Statistician
    41 (1987).

    Args:
        successes: Among the labelled rows.
        labelled: Rows whose truth is known.
        population: All rows of the window.
        confidence_level: In (0, 1).

    Raises:
        ValueError: Counts or level are out of range.

    Example:
        >>> interval = finite_population(90, 100, 120)
        >>> round(interval.lower, 4), round(interval.upper, 4)
        (0.8667, 0.9167)
        >>> finite_population(90, 100, 100).width
        0.0
    """
    check_counts(successes, labelled)
    check_counts(labelled, population)
    check_open_unit("confidence_level", confidence_level)
    if population == 0:
        return Interval(0.0, 1.0, confidence_level)
    tail = (1 - confidence_level) / 2
    failures = labelled - successes

    def tail_above(total: int) -> float:
        return _mass(successes, labelled, population, total, labelled)

    def tail_below(total: int) -> float:
        return _mass(0, successes, population, total, labelled)

    lower = _first(successes, population - failures, lambda total: tail_above(total) > tail)
    upper = _first(lower, population - failures + 1, lambda total: tail_below(total) <= tail) - 1
    return Interval(lower / population, upper / population, confidence_level)


def _mass(start: int, stop: int, population: int, total: int, drawn: int) -> float:
    """P(start <= X <= stop), X the successes among `drawn` of `population` rows that hold `total` successes."""
    hits = np.arange(max(start, drawn - (population - total)), min(stop, total, drawn) + 1)
    log_mass = (
        _log_choose(total, hits)
        + _log_choose(population - total, drawn - hits)
        - _log_choose(population, np.array([drawn]))
    )
    return float(np.exp(log_mass).sum())


def _log_choose(n: int, k: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    log_choose: npt.NDArray[np.float64] = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return log_choose


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The smallest integer in [low, high) at which the monotone predicate `holds`, else `high`."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
