"""Labelled rows: what training, evaluation, gate and report all work on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from evertune.errors import DataError
from evertune.tensors import Array, Tensors


@dataclass(frozen=True)
class Rows:
    """Inputs with their labels.

    Attributes:
        inputs: Named arrays, first axis rows.
        labels: Classification: int64 class indices, shape (rows,). Ranking: int64 item indices, -1 where nothing was
            chosen. Multilabel: uint8 0 or 1, shape (rows, labels). Regression: float32, shape (rows,).
        times: Seconds since the epoch, float64, shape (rows,); zeros where rows have no time.
        weights: Sample weights, float32, shape (rows,).
        ids: Row ids of live rows; empty strings for the task's own rows.
    """

    inputs: Tensors
    labels: Array
    times: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    weights: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.labels)
        if self.times.size == 0:
            object.__setattr__(self, "times", np.zeros(count))
        if self.weights.size == 0:
            object.__setattr__(self, "weights", np.ones(count, np.float32))
        if not self.ids:
            object.__setattr__(self, "ids", ("",) * count)
        lengths = {
            "labels": count,
            "times": len(self.times),
            "weights": len(self.weights),
            "ids": len(self.ids),
            **{f"inputs[{name!r}]": len(value) for name, value in self.inputs.items()},
        }
        if len(set(lengths.values())) != 1:
            raise DataError(f"rows differ in length: {lengths}", fix="Give every input one entry a label.")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Array | slice) -> Rows:
        """The rows at `indices` (integers, a boolean mask or a slice), in that order."""
        positions = np.arange(len(self))[indices]
        return Rows(
            {name: value[positions] for name, value in self.inputs.items()},
            self.labels[positions],
            self.times[positions],
            self.weights[positions],
            tuple(self.ids[position] for position in positions),
        )

    def reweighted(self, factor: float) -> Rows:
        """The same rows with every weight multiplied by `factor`."""
        weights = (self.weights * factor).astype(np.float32)
        return Rows(self.inputs, self.labels, self.times, weights, self.ids)

    @staticmethod
    def concatenate(parts: list[Rows]) -> Rows:
        """All rows of `parts`, which must hold the same inputs."""
        return Rows(
            {name: np.concatenate([part.inputs[name] for part in parts]) for name in parts[0].inputs},
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.weights for part in parts]),
            tuple(row for part in parts for row in part.ids),
        )
