"""The promotion test: is the challenger better than the champion, or at most a margin worse?"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from evertune.statistics._betting import log_wealth, upper_end
from evertune.statistics._checks import Values, unit_values
from evertune.statistics.interval import Interval
from evertune.statistics.paired_p_value import paired_p_value
from evertune.statistics.paired_test import Outcome, PairedTest

# Ends of the interval are rounded outwards to this; 0.01 percentage points are finer than any decision needs.
_INTERVAL_STEP = 1e-4


def paired_noninferiority(
    champion_losses: Values, challenger_losses: Values, *, margin: float, error_rate: float, min_rows: int
) -> PairedTest:
    """Tests E[challenger loss] - E[champion loss] >= margin on rows that neither model has seen.

    The outcome is "better" with probability at most `error_rate` if that hypothesis holds, for any number of rows and
    any models: a margin of 0 tests superiority, a positive one non-inferiority. It is one test of a fixed sample: rows
    are fixed before their labels are looked at, and used once. Repeated challengers share an error rate by `spend`.

    Losses that are all 0 or 1 get the exact unconditional test (`paired_p_value`), which needs independent pairs. Other
    losses get the betting test, which needs only that each conditional mean of the difference is `margin` or more
    under the hypothesis; it depends a little on the order of the rows.

    Sources: see `paired_p_value`; I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by
    betting", JRSS B 86 (2024).

    Args:
        champion_losses: In [0, 1], shape (rows,).
        challenger_losses: Of the same rows, in the same order.
        margin: Loss by which the challenger may be worse, in [0, 1).
        error_rate: In (0, 0.5).
        min_rows: Fewer rows are "insufficient", whatever they say.

    Raises:
        ValueError: Unequal lengths, or a value out of range.

    Example:
        >>> champion, challenger = [1.0] * 30 + [0.0] * 70, [0.0] * 20 + [1.0] * 15 + [0.0] * 65
        >>> test = paired_noninferiority(champion, challenger, margin=0.0, error_rate=0.05, min_rows=50)
        >>> test.outcome, test.rows, round(test.difference, 2), round(test.p_value, 4)
        ('better', 100, -0.15, 0.0027)
    """
    champion = unit_values("champion_losses", champion_losses)
    challenger = unit_values("challenger_losses", challenger_losses)
    if len(champion) != len(challenger):
        raise ValueError(f"losses must be of the same rows, got {len(champion)!r} and {len(challenger)!r}")
    if not 0 <= margin < 1 or not 0 < error_rate < 0.5:
        raise ValueError(f"need margin in [0, 1) and error_rate in (0, 0.5), got {margin!r} and {error_rate!r}")
    difference, rows, level = challenger - champion, len(champion), 1 - 2 * error_rate
    mean = float(difference.mean()) if rows else 0.0
    if rows < max(min_rows, 1):
        return PairedTest("insufficient", 1.0, rows, mean, Interval(-1.0, 1.0, level), margin, error_rate)
    binary = bool(np.isin(np.concatenate([champion, challenger]), (0.0, 1.0)).all())
    decide = _exact if binary else _betting
    p_value, interval = decide(difference, margin, error_rate)
    outcome: Outcome = "better" if p_value <= error_rate else "not_better"
    return PairedTest(outcome, p_value, rows, mean, interval, margin, error_rate)


def _exact(difference: npt.NDArray[np.float64], margin: float, error_rate: float) -> tuple[float, Interval]:
    worse, better, rows = int((difference > 0).sum()), int((difference < 0).sum()), len(difference)

    def refuted_above(bound: float) -> bool:
        return paired_p_value(worse, better, rows, bound, error_rate, decide=True) <= error_rate

    def refuted_below(bound: float) -> bool:  # the other side is the same test with the models exchanged
        return paired_p_value(better, worse, rows, bound, error_rate, decide=True) <= error_rate

    mean = float(difference.mean())
    upper = _smallest(refuted_above, mean, margin)
    lower = -_smallest(refuted_below, -mean, -margin)
    return paired_p_value(worse, better, rows, margin, error_rate), Interval(lower, upper, 1 - 2 * error_rate)


def _smallest(refuted: Callable[[float], bool], mean: float, margin: float) -> float:
    """The smallest difference that is refuted, rounded up. `margin` is tried, so that test and interval agree."""
    low, high = mean, 1.0
    if low < margin < high:
        low, high = (low, margin) if refuted(margin) else (margin, high)
    while high - low > _INTERVAL_STEP:
        middle = (low + high) / 2
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return high


def _betting(difference: npt.NDArray[np.float64], margin: float, error_rate: float) -> tuple[float, Interval]:
    values = (difference + 1) / 2
    p_value = math.exp(-log_wealth(values, (1 + margin) / 2, error_rate))
    upper, lower = 2 * upper_end(values, error_rate) - 1, 1 - 2 * upper_end(1 - values, error_rate)
    return p_value, Interval(min(lower, upper), max(lower, upper), 1 - 2 * error_rate)
