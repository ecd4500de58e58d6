"""What monitoring compares live losses with."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from evertune.bundle.canonical import count, damaged, finite

FILE_NAME = "reference.json"


@dataclass(frozen=True)
class Reference:
    """The bundle's loss on rows that the search never saw, measured on the artifact itself.

    Attributes:
        loss_mean: Mean bounded loss, in [0, 1].
        loss_upper_bound: One-sided upper confidence bound of it; what the detector tests against.
        rows: How many rows it was measured on.
        confidence_mean: Mean calibrated confidence on the same rows.
        confidence_level: Of the bound.
    """

    loss_mean: float
    loss_upper_bound: float
    rows: int
    confidence_mean: float
    confidence_level: float = 0.95

    def __post_init__(self) -> None:
        if not 0 <= self.loss_mean <= self.loss_upper_bound <= 1:
            raise ValueError(f"losses {self.loss_mean} <= {self.loss_upper_bound} are not in order within [0, 1]")
        if not (0 <= self.confidence_mean <= 1 and 0 < self.confidence_level < 1 and self.rows >= 1):
            raise ValueError(f"confidence {self.confidence_mean}, level {self.confidence_level} or rows {self.rows}")

    def to_json(self) -> dict[str, Any]:
        """The reference as in `reference.json`."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Reference:
        """Inverse of `to_json`.

        Raises:
            BundleError: A figure is missing, unknown or out of range.
        """
        try:
            if set(data) != {each.name for each in fields(cls)}:
                raise ValueError(f"fields are {sorted(data)}")
            figures = {name: finite(value) for name, value in data.items() if name != "rows"}
            return cls(rows=count(data["rows"]), **figures)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise damaged(FILE_NAME, f"holds no reference: {error}") from error
