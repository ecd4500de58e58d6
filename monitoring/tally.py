"""Counts of labels that only grow, kept with the detector's state so that a restart loses none."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

# From a minute to a quarter of a year: labels come from a click, or from an invoice that was not paid.
BOUNDS_SECONDS = (
    60.0,
    300.0,
    900.0,
    3600.0,
    14_400.0,
    43_200.0,
    86_400.0,
    259_200.0,
    604_800.0,
    2_592_000.0,
    7_776_000.0,
)


@dataclass
class Tally:
    """Labels of one bundle.

    Attributes:
        received: First labels joined with their predictions.
        unmatched: Labels whose prediction is gone from the ledger.
        last_arrival: Seconds since the epoch of the newest joined label that somebody sent; 0 before the first.
        delay_sum_seconds: Of arrival minus prediction.
        delay_counts: Labels by delay, one count for each of `BOUNDS_SECONDS` and one beyond.

    Example:
        >>> tally = Tally()
        >>> tally.take(predicted_at=100.0, arrived_at=170.0)
        >>> tally.received, tally.delay_sum_seconds, tally.delay_counts[:3]
        (1, 70.0, [0, 1, 0])
    """

    received: int = 0
    unmatched: int = 0
    last_arrival: float = 0.0
    delay_sum_seconds: float = 0.0
    delay_counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))

    def take(self, *, predicted_at: float, arrived_at: float, settled: bool = False) -> None:
        """Notes one label. Clocks of two machines may disagree: a delay is never negative.

        A label that followed from a horizon (`settled`) does not say that labels still come: nobody sent it.
        """
        delay = max(0.0, arrived_at - predicted_at)
        self.received += 1
        self.last_arrival = max(self.last_arrival, 0.0 if settled else arrived_at)
        self.delay_sum_seconds += delay
        self.delay_counts[bisect_left(BOUNDS_SECONDS, delay)] += 1

    def plus(self, other: Tally) -> Tally:
        """The sum of two tallies."""
        return Tally(
            self.received + other.received,
            self.unmatched + other.unmatched,
            max(self.last_arrival, other.last_arrival),
            self.delay_sum_seconds + other.delay_sum_seconds,
            [mine + theirs for mine, theirs in zip(self.delay_counts, other.delay_counts, strict=True)],
        )

    def to_json(self) -> dict[str, Any]:
        """As in a detector's state."""
        return {**vars(self), "delay_counts": list(self.delay_counts)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Tally:
        """Inverse of `to_json`, exact."""
        return cls(**{**data, "delay_counts": list(data["delay_counts"])})
