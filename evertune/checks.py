"""Data that nothing can be learned from is refused before the search starts."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from evertune.errors import DataError, InputError
from evertune.rows import Rows
from evertune.task import Splits, Task


def check_splits(task: Task, splits: Splits) -> None:
    """Checks every split against what the task declares.

    Args:
        task: Declares inputs and labels.
        splits: What `task.data` returned.

    Raises:
        TaskError: The preprocessor makes other inputs than the task declares.
        DataError: A split is empty; an input is missing, has another dtype or shape, or holds NaN; a label is out of
            range; a weight is negative or not a number; or the training rows have a single class. Names the split,
            what is wrong, and the first row where that helps.
    """
    preprocessor = task.preprocessor()
    if preprocessor is not None:
        preprocessor.check(task.inputs)
    if not isinstance(splits, Splits):
        raise DataError(f"the task's data are a {type(splits).__name__}", fix="Return evertune.task.Splits.")
    for field in fields(splits):
        rows = getattr(splits, field.name)
        if not isinstance(rows, Rows):
            raise DataError(
                f"split {field.name!r} is a {type(rows).__name__}", fix="Give evertune.rows.Rows.", split=field.name
            )
        _check_rows(task, field.name, rows)
    classes = np.unique(splits.train.labels)
    if len(classes) < 2:
        raise DataError(
            f"all {len(splits.train)} training rows have the label {task.labels[int(classes[0])]!r}",
            fix="Give training rows of at least two classes.",
            split="train",
        )


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
    _check_labels(task, split, rows)
    if not (np.isfinite(rows.weights).all() and (rows.weights >= 0).all() and rows.weights.sum() > 0):
        raise DataError(
            f"split {split!r} has weights that are negative, not finite, or all zero",
            fix="Give each row a finite weight above zero.",
            split=split,
        )


def _check_labels(task: Task, split: str, rows: Rows) -> None:
    if rows.labels.dtype.kind not in "iu" or rows.labels.ndim != 1:
        raise DataError(
            f"split {split!r} has labels of dtype {rows.labels.dtype} and shape {list(rows.labels.shape)}",
            fix="Give int64 class indices, one a row.",
            split=split,
        )
    wrong = np.flatnonzero((rows.labels < 0) | (rows.labels >= len(task.labels)))
    if len(wrong):
        raise DataError(
            f"split {split!r}, row {wrong[0]}: label {int(rows.labels[wrong[0]])} is none of the {len(task.labels)} "
            f"classes ({len(wrong)} such rows)",
            fix=f"Use indices 0 to {len(task.labels) - 1}, the positions in Task.labels.",
            split=split,
            row=int(wrong[0]),
        )


def _first_bad_row(rows: Rows) -> str:
    for name, value in rows.inputs.items():
        if value.dtype.kind == "f":
            bad = np.flatnonzero(~np.isfinite(value.reshape(len(value), -1)).all(axis=1))
            if len(bad):
                return f" (input {name!r}, first in row {bad[0]}, {len(bad)} rows in all)"
    return ""
