"""From JSON values to arrays, without any silent conversion.

numpy would turn 1.5 into the uint8 1, and would read [[1, 2], [3]] as objects; a client that sends such values has a
bug, and must hear of it.
"""

from __future__ import annotations

import array
from itertools import chain
from typing import Any

import numpy as np

from evertune.datatypes import STRINGS
from evertune.errors import InputError
from evertune.tensors import Array

# `array.array` converts a flat list strictly (no floats in integers, no overflow) and three times as fast as numpy.
_TYPECODES = {
    "int8": "b", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float32": "f", "float64": "d",
}  # fmt: skip
_OTHERS: dict[str, set[type]] = {"bool": {bool}, "float16": {int, float}, STRINGS: {str}}


def decode(values: Any, dtype: str, name: str, *, booleans: bool = True) -> Array:
    """Converts a JSON list, flat or nested.

    Args:
        values: As parsed.
        dtype: numpy name of the input's dtype.
        name: Of the tensor, for the error.
        booleans: Whether there may be any. To Python they are integers; to find them in a list costs more than to
            convert it, and a request without the letters `true` and `false` has none.

    Returns:
        Array of that dtype, shaped as the list is nested. Infinity may come out where a float32 overflows; the
        signature's check refuses it.

    Raises:
        InputError: Not a list, ragged, or a value that is not exactly of the dtype. Names the value.
    """
    if not isinstance(values, list):
        raise InputError(f"data of tensor {name!r} is not a list", fix="Send a JSON list.", name=name)
    if not values or not isinstance(values[0], list):
        return _flat(values, dtype, name, booleans)
    leaves, shape = _leaves(values, name)
    return _flat(leaves, dtype, name, booleans).reshape(shape)


def _flat(values: list[Any], dtype: str, name: str, booleans: bool) -> Array:
    if booleans and dtype != "bool" and bool in map(type, values):
        raise _bad_value(values, dtype, name)
    try:
        if dtype == "uint8":
            return np.frombuffer(bytes(values), np.uint8)
        if dtype in _TYPECODES:
            return np.frombuffer(array.array(_TYPECODES[dtype], values), dtype)
    except (TypeError, ValueError, OverflowError):
        raise _bad_value(values, dtype, name) from None
    if not _OTHERS[dtype].issuperset(map(type, values)):
        raise _bad_value(values, dtype, name)
    with np.errstate(over="ignore"):
        return np.array(values, np.float64 if dtype == "float16" else dtype).astype(dtype, copy=False)


def _leaves(values: list[Any], name: str) -> tuple[list[Any], list[int]]:
    """The innermost values in order, and the shape that they fill."""
    shape = [len(values)]
    while values and isinstance(values[0], list):
        length = len(values[0])
        if not all(isinstance(row, list) and len(row) == length for row in values):
            raise InputError(f"rows of tensor {name!r} differ in length", fix="Send rows of one shape.", name=name)
        shape.append(length)
        values = list(chain.from_iterable(values))
    return values, shape


def _bad_value(values: list[Any], dtype: str, name: str) -> InputError:
    bad = next((value for value in values if not _fits(value, dtype)), "mixed values")
    called = "string" if dtype == STRINGS else dtype
    return InputError(
        f"tensor {name!r} holds {str(bad)[:40]!r}, which is no {called}",
        fix=f"Send {called} values only.",
        name=name,
        value=str(bad)[:40],
    )


def _fits(value: Any, dtype: str) -> bool:
    wanted = np.dtype(dtype)
    if wanted.kind == "O":
        return isinstance(value, str)
    if wanted.kind == "b":
        return isinstance(value, bool)
    if wanted.kind == "f":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    limits = np.iinfo(wanted)
    return bool(limits.min <= value <= limits.max)
