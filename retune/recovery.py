"""How much of what the drift took came back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from evertune.statistics import Interval, wilson
from evertune.tensors import Array


@dataclass(frozen=True)
class Accuracy:
    """A share of rows that were right, or a mean score (1 - loss) of tasks whose losses lie between 0 and 1.

    Attributes:
        correct: Rows without loss (a sum of 1 - loss).
        rows: Labelled rows.
    """

    correct: float
    rows: int

    @classmethod
    def of(cls, losses: Array) -> Accuracy:
        """From row losses in [0, 1], shape (rows,)."""
        return cls(len(losses) - float(losses.sum()), len(losses))

    @property
    def ratio(self) -> float | None:
        """None without rows."""
        return self.correct / self.rows if self.rows else None

    def to_json(self) -> dict[str, Any]:
        """With its 95% interval (Wilson), widened to whole rows where losses lie between 0 and 1."""
        lower, upper = (wilson(int(end), self.rows) for end in (math.floor(self.correct), math.ceil(self.correct)))
        interval = Interval(lower.lower, upper.upper, lower.confidence_level)
        return {"ratio": self.ratio, "rows": self.rows, "interval": interval.to_json()}


@dataclass(frozen=True)
class Recovery:
    """Before the onset, from onset to swap, and after it; the first two are None where nothing drifted."""

    before: Accuracy | None
    during: Accuracy | None
    after: Accuracy

    @property
    def ratio(self) -> float | None:
        """(after - during) / (before - during); None where nothing was lost, or a figure is missing.

        Example:
            >>> Recovery(Accuracy(96, 128), Accuracy(32, 128), Accuracy(80, 128)).ratio
            0.75
        """
        if self.before is None or self.during is None:
            return None
        before, during, after = self.before.ratio, self.during.ratio, self.after.ratio
        if before is None or during is None or after is None or before <= during:
            return None
        return (after - during) / (before - during)

    def to_json(self) -> dict[str, Any]:
        """For the job's detail."""
        return {
            "before": None if self.before is None else self.before.to_json(),
            "during": None if self.during is None else self.during.to_json(),
            "after": self.after.to_json(),
            "recovered_ratio": self.ratio,
        }
