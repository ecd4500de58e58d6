"""From what a model says of itself to the expected 1 - loss; in classification, the probability of being right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evertune.bundle.canonical import count, damaged, finite
from evertune.tensors import Array

FILE_NAME = "calibration.json"


@dataclass(frozen=True)
class ConfidenceMap:
    """A monotone, piecewise linear map, fitted on rows that neither training nor selection saw.

    Attributes:
        knots_x: Raw certainties of the kind (in classification the largest probability), strictly increasing.
        knots_y: Expected 1 - loss in [0, 1], not decreasing.
        rows: How many calibration rows it was fitted on.

    Example:
        >>> ConfidenceMap((0.5, 1.0), (0.4, 0.9), rows=100)(np.array([0.2, 0.75, 1.0])).round(3).tolist()
        [0.4, 0.65, 0.9]
    """

    knots_x: tuple[float, ...]
    knots_y: tuple[float, ...]
    rows: int

    def __post_init__(self) -> None:
        x, y = np.asarray(self.knots_x, float), np.asarray(self.knots_y, float)
        fits = 0 < len(x) == len(y) and np.isfinite(x).all() and (y >= 0).all() and (y <= 1).all()
        if not fits or (np.diff(x) <= 0).any() or (np.diff(y) < 0).any() or self.rows < 0:
            raise ValueError(f"knots are not a monotone map into [0, 1]: x={self.knots_x[:5]}, y={self.knots_y[:5]}")

    def __call__(self, raw: Array) -> npt.NDArray[np.float64]:
        """Calibrates raw certainties of any shape; beyond the outer knots the map is constant."""
        return np.clip(np.interp(np.asarray(raw, np.float64), self.knots_x, self.knots_y), 0.0, 1.0)

    def to_json(self) -> dict[str, Any]:
        """The map as in `calibration.json`."""
        return {"knots_x": list(self.knots_x), "knots_y": list(self.knots_y), "rows": self.rows}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ConfidenceMap:
        """Inverse of `to_json`.

        Raises:
            BundleError: The map is malformed.
        """
        try:
            if set(data) != {"knots_x", "knots_y", "rows"}:
                raise ValueError(f"fields are {sorted(data)}")
            return cls(tuple(map(finite, data["knots_x"])), tuple(map(finite, data["knots_y"])), count(data["rows"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise damaged(FILE_NAME, f"holds no confidence map: {error}") from error
