"""A figure that says how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evertune.statistics import Interval


@dataclass(frozen=True)
class Estimate:
    """A value and the interval around it.

    Example:
        >>> str(Estimate(0.9132, Interval(0.9, 0.9251, 0.95)))
        '0.913 [0.900, 0.925]'
    """

    value: float
    interval: Interval

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.interval.lower:.3f}, {self.interval.upper:.3f}]"

    def to_json(self) -> dict[str, Any]:
        """The estimate as JSON."""
        return {"value": self.value, "interval": self.interval.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Estimate:
        """Inverse of `to_json`, exact."""
        return cls(float(data["value"]), Interval.from_json(data["interval"]))
