"""What every search is given: a budget of epochs, and a table in place of a training."""

from __future__ import annotations

import math

import numpy as np

from benchmarks._curves.table import Array, Table


class SpentError(Exception):
    """The budget of epochs is used up."""


class Bench:
    """Hands out rows of a table and counts epochs.

    Args:
        table: In place of trainings.
        budget: Epochs of all trainings together.
    """

    def __init__(self, table: Table, budget: int) -> None:
        self.table = table
        self.budget = budget
        self.spent = 0
        self.best = math.inf
        self._free = np.ones(len(table.points), bool)

    def row(self, point: Array) -> int:
        """The nearest row that was not tried yet: a table does not hold every setting."""
        distances = np.square(self.table.points - point).sum(axis=1)
        row = int(np.argmin(np.where(self._free, distances, np.inf)))
        self._free[row] = False
        return row

    def train(self, row: int, epoch: int) -> float:
        """The validation loss after one more epoch, counted from one; NaN where the training diverged.

        Raises:
            SpentError: There is no epoch left.
        """
        if self.spent >= self.budget:
            raise SpentError
        self.spent += 1
        loss = float(self.table.curves[row, epoch])
        if math.isfinite(loss):
            self.best = min(self.best, loss)
        return loss
