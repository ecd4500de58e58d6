"""From class names in a table to class indices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evertune.errors import DataError


def class_indices(
    values: Sequence[object], labels: Sequence[str], *, unknown: int | None = None
) -> npt.NDArray[np.int64]:
    """The position of each value in `labels`, as `Rows.labels` of a classification wants it.

    Args:
        values: Class names; the number 1 and the text "1" are the same.
        labels: As in `Task.labels`.
        unknown: Stands for a value that is no class, such as -1 for an item that nobody recommends; None: refused.

    Raises:
        DataError: A value is no class, and `unknown` is None; names it and its row.

    Example:
        >>> class_indices(["spam", "ham"], ("ham", "spam")).tolist()
        [1, 0]
    """
    positions = {label: position for position, label in enumerate(labels)}
    found = [positions.get(str(value), unknown) for value in values]
    if None in found:
        row = found.index(None)
        raise DataError(
            f"row {row} has the label {str(values[row])[:80]!r}, which is none of {list(labels)[:20]}",
            fix="Correct that row, or add the class to Task.labels.",
            row=row,
        )
    return np.array(found, np.int64)
