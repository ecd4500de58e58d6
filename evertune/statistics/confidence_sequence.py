"""The running accuracy since promotion, with an interval that may be looked at after every label."""

from __future__ import annotations

import math
from typing import Any

from scipy.special import gammainc, gammaln

from evertune.statistics._checks import Values, check_open_unit, unit_values
from evertune.statistics.interval import Interval

# The interval is tightest when the values' squared errors sum to about this: some 250 labels at 10% loss. It costs
# little elsewhere, since the width depends on it through a logarithm.
_TUNED_FOR_VARIANCE = 25.0


class ConfidenceSequence:
    """Covers the running mean of conditional means of values in [0, 1], at all times at once.

    With X_i the i-th value and m_i = E[X_i | past], the interval holds (m_1 + ... + m_t) / t for every t with
    probability at least `confidence_level`, whatever the dependence and however the m_i change. For independent values
    of one distribution that is their mean. It is not about any window, nor about the current m_t alone.

    The two sums S = sum(X_i - m_i) and V = sum((X_i - prediction_i)^2), with predictions made from earlier values,
    make exp(b S - V (-log(1 - b) - b)) a supermartingale for each b in [0, 1); mixing it over b with a truncated gamma
    density gives a closed form, and Ville's inequality a bound on S for each side.

    Source: S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
    sequences", Annals of Statistics 49 (2021), empirical Bernstein with the gamma-exponential mixture. (The
    predictable plug-in sequence of Waudby-Smith and Ramdas is not used: its uneven weights cover a weighted mean of
    the m_i, which is the running mean only where they are all equal.)

    Args:
        confidence_level: In (0, 1).

    Example:
        >>> sequence = ConfidenceSequence()
        >>> sequence.update([1.0, 1.0, 0.0, 1.0] * 50)
        >>> round(sequence.mean, 2), round(sequence.interval().lower, 2), round(sequence.interval().upper, 2)
        (0.75, 0.64, 0.86)
    """

    def __init__(self, confidence_level: float = 0.95) -> None:
        check_open_unit("confidence_level", confidence_level)
        self.confidence_level = confidence_level
        self.count = 0
        self._sum = 0.0
        self._squares = 0.0

    @property
    def mean(self) -> float:
        """Mean of all values so far; 0.5 before the first."""
        return self._sum / self.count if self.count else 0.5

    def update(self, values: Values) -> None:
        """Takes values in the order in which they came.

        Sums are built value by value, so that any cutting of the same values gives the same bits.

        Args:
            values: In [0, 1], shape (n,).

        Raises:
            ValueError: A value outside [0, 1]; none of `values` is taken then.
        """
        for value in unit_values("values", values).tolist():
            error = value - (self._sum + 0.5) / (self.count + 1)
            self._squares += error * error
            self._sum += value
            self.count += 1

    def interval(self) -> Interval:
        """The interval now; [0, 1] before the first value."""
        if self.count == 0:
            return Interval(0.0, 1.0, self.confidence_level)
        half = _boundary(self._squares, (1 - self.confidence_level) / 2) / self.count
        return Interval(max(0.0, self.mean - half), min(1.0, self.mean + half), self.confidence_level)

    def to_json(self) -> dict[str, Any]:
        """The state; floats survive JSON exactly."""
        return {
            "confidence_level": self.confidence_level,
            "count": self.count,
            "sum": self._sum,
            "squares": self._squares,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ConfidenceSequence:
        """Inverse of `to_json`, exact."""
        sequence = cls(float(data["confidence_level"]))
        sequence.count = int(data["count"])
        sequence._sum, sequence._squares = float(data["sum"]), float(data["squares"])
        return sequence


def _boundary(variance: float, tail: float) -> float:
    """The sum S that the mixture refutes at `tail`, given V = `variance`."""
    threshold = math.log(1 / tail)
    rho = _TUNED_FOR_VARIANCE / (2 * threshold + math.log(1 + 2 * threshold))
    high = 1.0
    while _log_mixture(high, variance, rho) < threshold:
        high *= 2
    low = 0.0
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if _log_mixture(middle, variance, rho) >= threshold else (middle, high)
    return high


def _log_mixture(s: float, v: float, rho: float) -> float:
    """Log of the gamma-exponential mixture at sum `s` and variance `v`, scale 1."""
    lead = rho * math.log(rho) - gammaln(rho) - math.log(gammainc(rho, rho))
    tail = math.log(gammainc(v + rho, s + v + rho))
    return float(lead + gammaln(v + rho) + tail - (v + rho) * math.log(s + v + rho) + s + v)
