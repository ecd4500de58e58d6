"""Arrays as Keras users have them, turned into what a task declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evertune.errors import DataError
from evertune.rows import Rows
from evertune.task import Splits
from evertune.tensors import Array, Tensors, TensorSpec

INPUT = "x"
"""Name of the input where there is one array and no name."""

_TEST, _VALIDATION, _CALIBRATION = 0.15, 0.15, 0.05  # of the rows they are taken from
_FIX = "Return (x, y), or (x_train, y_train), (x_test, y_test), or the same with (x_val, y_val) between the two."


@dataclass(frozen=True)
class PlainData:
    """A task's declarations, found in its data.

    Attributes:
        kind: "classification" of integers, "multilabel" of a matrix of 0 and 1, "regression" of floats. A matrix of one
            column of 0 and 1 is what a model with one sigmoid answers.
        labels: "0", "1", ... of classes and labels, "1" of one column; ("value",) of a regression.
        inputs: As the arrays are; float64 becomes float32.
        loss_scale: Of a regression: the standard deviation of the training targets; None of other kinds.
        splits: Parts that were not given are drawn from the training rows, the same at every call.
    """

    kind: str
    labels: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    loss_scale: float | None
    splits: Splits


def describe(data: Any) -> PlainData:
    """Reads arrays as `keras.datasets` returns them.

    Args:
        data: (x, y); or pairs for training and test; or for training, validation and test. `x` is an array, or arrays
            by the names of the model's inputs.

    Raises:
        DataError: It is something else.
    """
    pairs = _pairs(data)
    kind, labels = _kind(pairs)
    rows = [Rows(_inputs(x), _truth(kind, y)) for x, y in pairs]
    specs = tuple(TensorSpec(name, str(value.dtype), value.shape[1:]) for name, value in rows[0].inputs.items())
    scale = float(np.std(rows[0].labels)) if kind == "regression" else None
    return PlainData(kind, labels, specs, scale, _splits(rows))


def _pairs(data: Any) -> list[tuple[Any, Array]]:
    found = [data] if _is_pair(data) else data
    if not isinstance(found, Sequence) or not 1 <= len(found) <= 3 or not all(_is_pair(each) for each in found):
        raise DataError(f"data() returned {type(data).__name__}, and no pairs of arrays", fix=_FIX)
    return [(x, np.asarray(y)) for x, y in found]


def _is_pair(value: Any) -> bool:
    """Of inputs and labels; a pair of pairs is none."""
    return isinstance(value, tuple | list) and len(value) == 2 and not any(isinstance(each, tuple) for each in value)


def _inputs(x: Any) -> Tensors:
    named = x if isinstance(x, Mapping) else {INPUT: x}
    arrays = {str(name): np.asarray(value) for name, value in named.items()}
    return {
        name: value.astype(np.float32) if value.dtype in (np.float64, np.float16) else value
        for name, value in arrays.items()
    }


def _kind(pairs: list[tuple[Any, Array]]) -> tuple[str, tuple[str, ...]]:
    truth = pairs[0][1]
    width = 1 if truth.ndim < 2 else truth.shape[1]
    if width > 1 and np.isin(truth, (0, 1)).all():
        if (truth.sum(axis=1) == 1).all():
            raise DataError(
                "data() returned one-hot labels",
                fix='Return class indices: y.argmax(axis=1), and compile with "sparse_categorical_crossentropy".',
            )
        return "multilabel", tuple(str(number) for number in range(width))
    if truth.ndim == 2 and truth.dtype.kind in "iub" and np.isin(truth, (0, 1)).all():
        return "multilabel", ("1",)
    if width > 1:
        raise DataError(f"data() returned targets of shape {list(truth.shape)}", fix="Return one number a row.")
    if truth.dtype.kind == "f":
        return "regression", ("value",)
    if truth.dtype.kind not in "iub":
        raise DataError(f"data() returned labels of dtype {truth.dtype}", fix="Return class indices, or numbers.")
    return "classification", tuple(str(number) for number in range(1 + max(int(y.max()) for _, y in pairs)))


def _truth(kind: str, y: Array) -> Array:
    if kind == "multilabel":
        return y.reshape(len(y), -1).astype(np.uint8)
    return y.reshape(-1).astype(np.float32 if kind == "regression" else np.int64)


def _splits(rows: list[Rows]) -> Splits:
    train, others = rows[0], rows[1:]
    if not others:
        train, *others = _cut(train, _TEST)
    if len(others) == 1:
        train, validation = _cut(train, _VALIDATION)
        others = [validation, *others]
    train, calibration = _cut(train, _CALIBRATION)
    return Splits(train, others[0], calibration, others[1])


def _cut(rows: Rows, ratio: float) -> tuple[Rows, Rows]:
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    count = max(1, round(ratio * len(rows)))
    return rows.take(np.sort(order[count:])), rows.take(np.sort(order[:count]))
