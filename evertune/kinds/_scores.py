"""What the kinds with one score a class or item have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evertune.errors import DataError
from evertune.rows import Rows
from evertune.tensors import Array


def best(values: Array) -> tuple[Array, Array]:
    """The best column of each row, and its lead over the second best; infinite where there is one column."""
    decided = values.argmax(axis=1)
    if values.shape[1] < 2:
        return decided, np.full(len(values), np.inf)
    top = np.partition(values, -2, axis=1)
    return decided, np.asarray(top[:, -1] - top[:, -2])


def check_indices(labels: Sequence[str], split: str, rows: Rows, *, lowest: int, what: str) -> None:
    """Checks that each row has one integer from `lowest` to the last label.

    Raises:
        DataError: Names the split, and the first row and value that is wrong.
    """
    if rows.labels.dtype.kind not in "iu" or rows.labels.ndim != 1:
        raise DataError(
            f"split {split!r} has labels of dtype {rows.labels.dtype} and shape {list(rows.labels.shape)}",
            fix=f"Give int64 {what} indices, one a row.",
            split=split,
        )
    wrong = np.flatnonzero((rows.labels < lowest) | (rows.labels >= len(labels)))
    if len(wrong):
        kinds = {"class": "classes", "item": "items"}[what]
        raise DataError(
            f"split {split!r}, row {wrong[0]}: label {int(rows.labels[wrong[0]])} is none of the {len(labels)} "
            f"{kinds} ({len(wrong)} such rows)",
            fix=f"Use indices {lowest} to {len(labels) - 1}, the positions in Task.labels.",
            split=split,
            row=int(wrong[0]),
        )
