"""Data that nothing can be learned from is refused before the search starts."""

from __future__ import annotations

import numpy as np

from evertune.errors import DataError, InputError
from evertune.kinds import kind_of
from evertune.rows import Rows
from evertune.task import Splits, Task


def check_splits(task: Task, splits: Splits) -> None:
    """Checks every split against what the task declares.

    Args:
        task: Declares inputs and labels.
        splits: What `task.data` returned.

    Raises:
        TaskError: The preprocessor makes other inputs than the task declares.
        DataError: A split is empty; an input is missing, has another dtype or shape, or holds NaN; a label is not
            of the task's kind; a weight is negative or not a number; nothing can be learned from the training rows; or
            a slice is no mask over the test rows. Names the split, what is wrong, and the first row where that helps.
    """
    preprocessor = task.preprocessor()
    if preprocessor is not None:
        preprocessor.check(task.inputs)
    if not isinstance(splits, Splits):
        raise DataError(f"the task's data are a {type(splits).__name__}", fix="Return evertune.task.Splits.")
    for name, rows in splits.parts.items():
        if not isinstance(rows, Rows):
            raise DataError(f"split {name!r} is a {type(rows).__name__}", fix="Give evertune.rows.Rows.", split=name)
        _check_rows(task, name, rows)
    _check_slices(splits)


def _check_rows(task: Task, split: str, rows: Rows) -> None:
    if len(rows) == 0:
        raise DataError(f"split {split!r} is empty", fix="Give every split some rows.", split=split)
    try:
        task.signature.check_inputs(rows.inputs)
    except InputError as error:
        raise DataError(
            f"split {split!r}: {error.message}{_first_bad_row(rows)}",
            fix="Correct Task.load, or what Task.inputs declares.",
            split=split,
        ) from error
    kind_of(task.kind).check_rows(task.labels, split, rows)
    if not (np.isfinite(rows.weights).all() and (rows.weights >= 0).all() and rows.weights.sum() > 0):
        raise DataError(
            f"split {split!r} has weights that are negative, not finite, or all zero",
            fix="Give each row a finite weight above zero.",
            split=split,
        )


def _check_slices(splits: Splits) -> None:
    for name, mask in splits.slices.items():
        found = np.asarray(mask)
        if not isinstance(name, str) or not name or found.dtype != np.bool_ or found.shape != (len(splits.test),):
            raise DataError(
                f"slice {name!r} has dtype {found.dtype} and shape {list(found.shape)}",
                fix=f"Give a name and a boolean mask over the {len(splits.test)} test rows.",
                slice=str(name),
            )


def _first_bad_row(rows: Rows) -> str:
    for name, value in rows.inputs.items():
        if value.dtype.kind == "f":
            bad = np.flatnonzero(~np.isfinite(value.reshape(len(value), -1)).all(axis=1))
            if len(bad):
                return f" (input {name!r}, first in row {bad[0]}, {len(bad)} rows in all)"
    return ""
