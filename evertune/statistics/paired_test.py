"""What a gate found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from evertune.statistics.interval import Interval

Outcome = Literal["better", "not_better", "insufficient"]


@dataclass(frozen=True)
class PairedTest:
    """Champion and challenger compared on the same rows.

    Attributes:
        outcome: "better" where the test shows, at `error_rate`, that the challenger's expected loss is below the
            champion's plus `margin`; "not_better" where it does not; "insufficient" with too few rows.
        p_value: Of the hypothesis "challenger - champion >= margin"; 1.0 where insufficient.
        rows: Pairs compared.
        difference: Mean of challenger loss - champion loss; negative is good. 0.0 without rows.
        interval: Of the expected difference, at level 1 - 2 error_rate: its upper end is below the margin where the
            outcome is "better".
        margin: Loss by which the challenger may be worse.
        error_rate: Of the outcome "better" where the challenger is worse by the margin or more.

    Example:
        >>> test = PairedTest("insufficient", 1.0, 3, 0.0, Interval(-1, 1, 0.9), 0.0, 0.05)
        >>> test.to_json()["outcome"]
        'insufficient'
    """

    outcome: Outcome
    p_value: float
    rows: int
    difference: float
    interval: Interval
    margin: float
    error_rate: float

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON, for the evidence of a deployment."""
        return {**vars(self), "interval": self.interval.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PairedTest:
        """Inverse of `to_json`, exact."""
        return cls(**{**data, "interval": Interval.from_json(data["interval"])})
