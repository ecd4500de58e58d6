"""Bets against the mean of bounded values: the tool under bounds and tests for losses that are not 0/1."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

# A bet of the whole capital could lose it all at one value, and nothing would ever bring it back.
_LARGEST_STAKE = 0.95


def log_wealth(values: npt.NDArray[np.float64], mean: float, error_rate: float) -> float:
    """The largest log wealth of a gambler who bets, value after value, that E[value | past] is below `mean`.

    Wealth is prod(1 + bet_i (mean - value_i)) with bets fixed before their value is seen, so it is a nonnegative
    supermartingale where every conditional mean is `mean` or more; by Ville's inequality it then ever reaches
    1 / error_rate with probability at most `error_rate`. It never falls as `mean` rises.

    Source: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024),
    section 4, with bets of their predictable plug-in form for a fixed sample size.

    Args:
        values: In [0, 1], in the order in which they came, shape (n,).
        mean: The hypothesis, in [0, 1].
        error_rate: At which the bets are tuned; the guarantee holds at any.

    Returns:
        max over t of log wealth, at least 0 (the wealth before the first bet).

    Example:
        >>> round(log_wealth(np.full(50, 0.1), 0.3, 0.05), 2)
        11.76
    """
    if len(values) == 0:
        return 0.0
    stakes = np.minimum(_plug_in_bets(values, error_rate), _LARGEST_STAKE / max(1 - mean, 1e-12))
    return max(0.0, float(np.cumsum(np.log1p(stakes * (mean - values))).max()))


def upper_end(values: npt.NDArray[np.float64], error_rate: float) -> float:
    """The smallest mean that the gambler refutes at `error_rate`: a one-sided upper confidence bound.

    Example:
        >>> round(upper_end(np.full(50, 0.1), 0.05), 2)
        0.16
    """
    threshold = -math.log(error_rate)
    low, high = 0.0, 1.0
    if log_wealth(values, high, error_rate) < threshold:
        return 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if log_wealth(values, middle, error_rate) >= threshold:
            high = middle
        else:
            low = middle
    return high


def _plug_in_bets(values: npt.NDArray[np.float64], error_rate: float) -> npt.NDArray[np.float64]:
    """sqrt(2 log(1 / error_rate) / (n variance_before_i)), the variance started at 1/4 so that it is never 0."""
    n = len(values)
    count = np.arange(1, n + 1)
    mean = (0.5 + np.cumsum(values)) / (count + 1)
    variance = (0.25 + np.cumsum((values - mean) ** 2)) / (count + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    bets: npt.NDArray[np.float64] = np.sqrt(2 * -math.log(error_rate) / (n * before))
    return bets
