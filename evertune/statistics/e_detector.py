"""Evidence that the loss has risen, valid forever: the trigger of every re-tune."""

from __future__ import annotations

import math
from typing import Any

from evertune.statistics._checks import Values, unit_values

# Share of the largest allowed bet: a small one finds small rises, a large one finds large rises fast.
_SMALLEST_STAKE, _LARGEST_STAKE = 0.02, 0.5
_LOG_OVERFLOW = 700.0  # exp of more is not a float
_LN10 = math.log(10.0)


class EDetector:
    """Shiryaev-Roberts e-detector for "expected loss given the past <= reference + tolerance".

    For each bet b the increment e_t = 1 + b (loss_t - limit) has conditional mean at most 1 under the hypothesis, and
    M_t = (1 + M_{t-1}) e_t sums the evidence of all possible times of change. The mean of M over a geometric grid of
    bets is held against `run_length`.

    Guarantee: as long as the hypothesis holds, whatever the dependence of losses, the expected number of labels until
    the first alarm is at least `run_length`. Once a change has come, the alarm follows after about
    log(run_length) / (expected log increment) labels. It is a guarantee about averages: single false alarms happen.

    Source: J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
    New England Journal of Statistics in Data Science (2023), arXiv 2203.03532.

    Args:
        reference_loss: What monitoring compares with, an upper bound on the loss at deployment.
        tolerance: Loss above the reference that is still fine; at least 0.
        run_length: Average labels between false alarms, at least this many; over 1.
        bets: Points of the grid, at least 1.

    Attributes:
        limit: reference_loss + tolerance.
        count: Labels taken so far.
        alarm_at: The count at the first crossing; None before. It latches.

    Raises:
        ValueError: The limit is not in (0, 1), or another argument is out of range.

    Example:
        >>> detector = EDetector(reference_loss=0.10, tolerance=0.05, run_length=10_000)
        >>> detector.update([0.0] * 9 + [1.0])
        >>> detector.alarmed
        False
        >>> detector.update([1.0, 0.0] * 40)
        >>> detector.alarmed, detector.alarm_at, detector.onset
        (True, 33, 9)
    """

    def __init__(self, reference_loss: float, tolerance: float, run_length: float, bets: int = 8) -> None:
        limit = reference_loss + tolerance
        if reference_loss < 0 or tolerance < 0 or not 0 < limit < 1:
            raise ValueError(f"reference_loss + tolerance must lie in (0, 1), got {reference_loss!r} + {tolerance!r}")
        if not 1 < run_length < math.inf or bets < 1:
            raise ValueError(f"run_length must be over 1 and bets at least 1, got {run_length!r} and {bets!r}")
        self.reference_loss, self.tolerance, self.run_length, self.limit = reference_loss, tolerance, run_length, limit
        self.count = 0
        self.alarm_at: int | None = None
        self._bets = [stake / limit for stake in _stakes(bets)]
        self._log_sums = [0.0] * bets  # log(1 + M) of each bet: finite always, unlike log M at the start
        self._cusums = [0.0] * bets  # log of the best evidence over all times of change
        self._onsets = [0] * bets  # where that best time is
        self._onset_at_alarm = 0

    @property
    def alarmed(self) -> bool:
        """Whether the evidence has ever crossed the threshold."""
        return self.alarm_at is not None

    @property
    def log10_threshold(self) -> float:
        """The line that `log10_evidence` is held against."""
        return math.log10(self.run_length)

    @property
    def log10_evidence(self) -> float:
        """log10 of the evidence now, or 0 where it is below 1. It may fall after an alarm; `alarmed` does not."""
        largest = max(self._log_sums)
        if largest == 0.0:
            return 0.0
        mean = sum(math.exp(value - largest) - math.exp(-largest) for value in self._log_sums) / len(self._bets)
        return max(0.0, (largest + math.log(mean)) / _LN10) if mean > 0 else 0.0

    @property
    def onset(self) -> int:
        """How many labels came before the most likely time of change; kept as it was at the first alarm.

        The maximum likelihood time of change of the bet with the most evidence (Page's CUSUM at its last reset).
        """
        return self._onset_at_alarm if self.alarmed else self._current_onset()

    def update(self, losses: Values) -> None:
        """Takes the losses of newly labelled rows, in the order in which their labels came.

        Works label by label in plain floats, so that any cutting of the same losses gives the same bits.

        Args:
            losses: In [0, 1], shape (n,).

        Raises:
            ValueError: A loss outside [0, 1]; none of `losses` is taken then.
        """
        for loss in unit_values("losses", losses).tolist():
            evidence = self._step(loss - self.limit)
            self.count += 1
            if self.alarm_at is None and evidence >= self.run_length:
                self.alarm_at = self.count
                self._onset_at_alarm = self._current_onset()

    def _step(self, excess: float) -> float:
        total = 0.0
        sums, cusums = self._log_sums, self._cusums
        for index, bet in enumerate(self._bets):
            log_increment = math.log1p(bet * excess)
            log_evidence = sums[index] + log_increment
            if log_evidence < _LOG_OVERFLOW:
                evidence = math.exp(log_evidence)
                sums[index] = math.log1p(evidence)
            else:
                evidence, sums[index] = math.inf, log_evidence
            total += evidence
            if cusums[index] <= 0.0:
                cusums[index], self._onsets[index] = log_increment, self.count
            else:
                cusums[index] += log_increment
        return total / len(self._bets)

    def _current_onset(self) -> int:
        return self._onsets[max(range(len(self._bets)), key=self._cusums.__getitem__)]

    def to_json(self) -> dict[str, Any]:
        """Parameters and state; floats survive JSON exactly."""
        return {
            "reference_loss": self.reference_loss,
            "tolerance": self.tolerance,
            "run_length": self.run_length,
            "count": self.count,
            "alarm_at": self.alarm_at,
            "onset_at_alarm": self._onset_at_alarm,
            "bets": list(self._bets),
            "log_sums": list(self._log_sums),
            "cusums": list(self._cusums),
            "onsets": list(self._onsets),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EDetector:
        """Inverse of `to_json`, exact: the stored bets are kept even where a later version would choose others."""
        bets = [float(bet) for bet in data["bets"]]
        detector = cls(float(data["reference_loss"]), float(data["tolerance"]), float(data["run_length"]), len(bets))
        detector.count = int(data["count"])
        detector.alarm_at = None if data["alarm_at"] is None else int(data["alarm_at"])
        detector._onset_at_alarm = int(data["onset_at_alarm"])
        detector._bets = bets
        detector._log_sums = [float(value) for value in data["log_sums"]]
        detector._cusums = [float(value) for value in data["cusums"]]
        detector._onsets = [int(value) for value in data["onsets"]]
        return detector


def _stakes(bets: int) -> list[float]:
    """A geometric grid; one bet alone takes its geometric middle."""
    if bets == 1:
        return [math.sqrt(_SMALLEST_STAKE * _LARGEST_STAKE)]
    ratio = (_LARGEST_STAKE / _SMALLEST_STAKE) ** (1 / (bets - 1))
    return [_SMALLEST_STAKE * ratio**index for index in range(bets)]
