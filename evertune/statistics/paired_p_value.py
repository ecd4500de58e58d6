"""The exact unconditional test of two dependent proportions with a margin."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, gammaln, xlog1py, xlogy

from evertune.statistics._supremum import supremum
from evertune.statistics.clopper_pearson import clopper_pearson

Vector = npt.NDArray[np.float64]

# Part of the error rate that is spent on excluding implausible rates of disagreement (Berger and Boos advise little).
_NUISANCE_SHARE = 0.02
# Added to the variance of the statistic: keeps tables with almost no disagreement from counting as infinite evidence.
_SMOOTHING = 1.0
_BATCH = 64


@lru_cache(maxsize=4096)
def paired_p_value(
    worse: int, better: int, rows: int, margin: float, error_rate: float, *, decide: bool = False
) -> float:
    """p-value of "P(only challenger wrong) - P(only champion wrong) >= margin", valid for every number of rows.

    The statistic is T = (D + rows margin) / sqrt(N + 1 - D^2 / rows) with D = better - worse, N = better + worse. On
    the boundary of the hypothesis the table depends on one nuisance, the rate of disagreement; the p-value is the most
    that P(T >= t) can be over an exact confidence set of that rate, plus the chance that the set misses. The boundary
    is the worst case of the whole hypothesis: T rises with `better` at fixed N (dT/dD has the sign of
    N + 1 + margin D > 0), so turning disagreements from worse to better, which moves the table's law to the boundary
    and leaves N as it is, only lowers the p-value. For margin 0 this is the test of Suissa and Shuster, up to the 1
    under the root.

    Sources: S. Suissa and J. J. Shuster, Biometrics 47 (1991); H. Hsueh, J. Liu, J. J. Chen, Biometrics 57 (2001), for
    margins; R. L. Berger and D. D. Boos, JASA 89 (1994), for the confidence set.

    Args:
        worse: Rows where only the challenger is wrong.
        better: Rows where only the champion is wrong.
        rows: All rows, independent pairs; 0 gives 1.
        margin: In (-1, 1).
        error_rate: At which the p-value will be judged, chosen before the data are seen. It tunes how much is spent on
            the nuisance; the p-value is valid at every level.
        decide: Only whether the p-value is at most `error_rate` matters; the rest of it is rough, and comes faster.

    Returns:
        In (0, 1].

    Raises:
        ValueError: Counts or margin are out of range.

    Example:
        >>> round(paired_p_value(5, 15, 100, 0.0, 0.05), 4)
        0.0145
    """
    if min(worse, better) < 0 or worse + better > rows or not -1 < margin < 1:
        raise ValueError(f"need counts with worse + better <= rows, got {worse!r}, {better!r}, {rows!r}; {margin=!r}")
    if rows == 0:
        return 1.0
    excluded = _NUISANCE_SHARE * error_rate
    rates = clopper_pearson(worse + better, rows, 1 - excluded)
    low, high = max(rates.lower, margin), rates.upper
    if low > high:  # the hypothesis needs more disagreement than is plausible
        return excluded
    critical = _critical_values(worse, better, rows, margin)
    path = _Path(rows, margin)
    # A negative margin bends the path at the rate where every disagreement is for the better.
    edges = np.unique(np.clip([low, -margin, high], low, high))
    slack, target = (0.03, error_rate - excluded) if decide else (0.01, None)
    largest = supremum(lambda rate: path.tail(rate, critical), path.angle, edges, slack * error_rate, target)
    return min(1.0, largest + excluded)


def _statistic(better: Vector, disagreements: Vector, rows: int, margin: float) -> Vector:
    difference = 2 * better - disagreements
    variance = disagreements + _SMOOTHING - difference**2 / rows
    statistic: Vector = (difference + rows * margin) / np.sqrt(variance)
    return statistic


def _critical_values(worse: int, better: int, rows: int, margin: float) -> Vector:
    """For each N the fewest `better` with T >= t; N + 1 where there is none. T rises with `better`, so bisect."""
    totals = np.arange(rows + 1.0)
    observed = _statistic(np.array([float(better)]), np.array([float(worse + better)]), rows, margin)[0]
    low, high = np.zeros(rows + 1), totals + 1
    for _ in range(math.ceil(math.log2(rows + 2)) + 1):
        middle = np.floor((low + high) / 2)
        reached = _statistic(np.minimum(middle, totals), totals, rows, margin) >= observed
        high = np.where(reached & (low < high), middle, high)
        low = np.where(~reached & (low < high), middle + 1, low)
    return high


class _Path:
    """The laws of a table along the boundary of the hypothesis, by rate of disagreement."""

    def __init__(self, rows: int, margin: float) -> None:
        self._rows, self._margin = rows, margin
        totals = np.arange(rows + 1.0)
        self._log_choose = gammaln(rows + 1) - gammaln(totals + 1) - gammaln(rows - totals + 1)

    def _better(self, rates: Vector) -> Vector:
        """P(only champion wrong) on the boundary, or all of the rate where the boundary is out of reach."""
        better: Vector = np.clip((rates - self._margin) / 2, 0, rates)
        return better

    def tail(self, rates: Vector, critical: Vector) -> Vector:
        """P(T >= t), shape as `rates`: binomial number of disagreements, and binomial `better` among them."""
        batches = np.array_split(rates, math.ceil(len(rates) / _BATCH))  # of neighbours: their likely totals overlap
        return np.concatenate([self._tail(batch, critical) for batch in batches])

    def _tail(self, rates: Vector, critical: Vector) -> Vector:
        totals = self._likely_totals(rates)
        weights = np.exp(
            self._log_choose[totals] + xlogy(totals, rates[:, None]) + xlog1py(self._rows - totals, -rates[:, None])
        )
        share = np.divide(self._better(rates), rates, out=np.zeros_like(rates), where=rates > 0)[:, None]
        bars = critical[totals]
        reach = betainc(
            np.maximum(bars, 1), totals - np.minimum(bars, totals) + 1, share[: 1 if self._margin == 0 else None]
        )
        reach = np.where(bars == 0, 1.0, np.where(bars > totals, 0.0, reach))
        # What lies outside the likely totals counts in full, so that leaving it out cannot make the p-value too small.
        left_out = np.maximum(0.0, 1 - weights.sum(axis=1))
        tail: Vector = (weights * reach).sum(axis=1) + left_out
        return tail

    def _likely_totals(self, rates: Vector) -> npt.NDArray[np.int64]:
        ends = self._rows * np.array([rates.min(), rates.max()])
        slack = 6 * np.sqrt(ends) + 20
        return np.arange(max(0, int(ends[0] - slack[0])), min(self._rows, int(ends[1] + slack[1])) + 1)

    def angle(self, rates: Vector, others: Vector) -> Vector:
        """Bhattacharyya angle between the laws of the whole table at two rates."""
        squared = np.zeros_like(rates)
        for part in (self._better, lambda rate: rate - self._better(rate), lambda rate: 1 - rate):
            squared += (np.sqrt(part(rates)) - np.sqrt(part(others))) ** 2
        missing = -np.expm1(self._rows * np.log1p(-np.minimum(squared / 2, 1 - 1e-15)))
        angle: Vector = 2 * np.arcsin(np.sqrt(missing / 2))
        return angle
