"""A range that says how sure a figure is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Interval:
    """Holds the true figure with probability at least (or, where its maker says so, about) `confidence_level`.

    Attributes:
        lower: Lower end, included.
        upper: Upper end, included.
        confidence_level: Of the procedure that made it, in (0, 1).

    Raises:
        ValueError: NaN, ends out of order, or a confidence level outside (0, 1).

    Example:
        >>> 0.8 in Interval(0.75, 0.85, 0.95)
        True
    """

    lower: float
    upper: float
    confidence_level: float

    def __post_init__(self) -> None:
        if math.isnan(self.lower) or math.isnan(self.upper) or self.lower > self.upper:
            raise ValueError(f"lower and upper must be ordered numbers, got {self.lower!r} and {self.upper!r}")
        if not 0 < self.confidence_level < 1:
            raise ValueError(f"confidence_level must lie in (0, 1), got {self.confidence_level!r}")

    def __contains__(self, value: float) -> bool:
        return self.lower <= value <= self.upper

    @property
    def width(self) -> float:
        """Upper end minus lower end."""
        return self.upper - self.lower

    def to_json(self) -> dict[str, float]:
        """The interval as JSON."""
        return {"lower": self.lower, "upper": self.upper, "confidence_level": self.confidence_level}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Interval:
        """Inverse of `to_json`, exact."""
        return cls(float(data["lower"]), float(data["upper"]), float(data["confidence_level"]))
