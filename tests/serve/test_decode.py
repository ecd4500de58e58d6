from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evertune.datatypes import DATATYPES, STRINGS
from evertune.errors import InputError
from evertune.tensors import TensorSpec
from serve.decode import decode

INTEGERS = [dtype for dtype in DATATYPES if np.dtype(dtype).kind in "iu"]
NUMBERS = [dtype for dtype in DATATYPES if dtype != STRINGS]
FLOATS = [dtype for dtype in DATATYPES if np.dtype(dtype).kind == "f"]


def nested(value: Any) -> list[Any]:
    return [[0, 1], [1, value]]


def extremes(dtype: str) -> list[Any]:
    if dtype == "bool":
        return [True, False]
    if dtype == STRINGS:
        return ["", "größer", "\0"]
    if dtype in FLOATS:
        limits = np.finfo(dtype)
        return [float(limits.max), float(limits.min), float(limits.smallest_subnormal), -0.5, 3]
    return [int(np.iinfo(dtype).min), int(np.iinfo(dtype).max), 1]


@pytest.mark.parametrize("dtype", DATATYPES)
def test_every_dtype_keeps_its_values_flat_and_nested(dtype: str) -> None:
    values = extremes(dtype)
    flat, rows = decode(values, dtype, "x"), decode([values, values[::-1]], dtype, "x")
    assert flat.dtype == rows.dtype == np.dtype(dtype)
    assert flat.tolist() == values
    assert rows.tolist() == [values, values[::-1]]


@pytest.mark.parametrize("dtype", DATATYPES)
def test_the_shape_is_that_of_the_lists(dtype: str) -> None:
    assert decode([], dtype, "x").shape == (0,)
    assert decode([[], []], dtype, "x").shape == (2, 0)
    assert decode([[[[]]]], dtype, "x").shape == (1, 1, 1, 0)
    zero = {"bool": False, STRINGS: "0"}.get(dtype, 0)
    assert decode([[[zero] * 4] * 3] * 2, dtype, "x").shape == (2, 3, 4)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("value", ["below", "above", 1.0, 0.5, 1e300])
def test_integers_take_neither_fractions_nor_what_is_out_of_range(dtype: str, value: Any) -> None:
    limits = np.iinfo(dtype)
    bad = {"below": int(limits.min) - 1, "above": int(limits.max) + 1}.get(value, value)
    for values in ([0, 1, bad], nested(bad)):
        with pytest.raises(InputError, match=f"{dtype}") as refused:
            decode(values, dtype, "x")
        assert refused.value.details == {"name": "x", "value": str(bad)[:40]}


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("value", ["1", "NaN", None, {}, {"a": 1}])
def test_texts_nulls_and_objects_are_no_numbers(dtype: str, value: Any) -> None:
    good: Any = True if dtype == "bool" else 1
    for values in ([good, value], [[good, good], [good, value]]):
        with pytest.raises(InputError) as refused:
            decode(values, dtype, "x")
        assert str(value) in str(refused.value)


@pytest.mark.parametrize("dtype", [dtype for dtype in NUMBERS if dtype != "bool"])
def test_a_boolean_is_no_number(dtype: str) -> None:
    for values in ([0, True], [False, False], nested(True), [[True]]):
        with pytest.raises(InputError, match=r"True|False"):
            decode(values, dtype, "x")


@pytest.mark.parametrize("value", [1, 0.5, None, True, ["a"], {}])
def test_what_is_no_text_is_refused_among_texts(value: Any) -> None:
    with pytest.raises(InputError) as refused:
        decode(["a", value], STRINGS, "x")
    assert str(value) in str(refused.value)


def test_a_number_is_no_boolean() -> None:
    for values in ([True, 1], [0], nested(True), [[1.0]]):
        with pytest.raises(InputError, match="is no bool"):
            decode(values, "bool", "x")


@pytest.mark.parametrize("dtype", DATATYPES)
@pytest.mark.parametrize(
    "values", [[[0, 1], [0]], [[0], 0], [[[0], [0]], [[0]]], [[[0], [0]], [[0], 0]], [[0], "0"], [[0], None]]
)
def test_ragged_rows_are_refused(dtype: str, values: Any) -> None:
    with pytest.raises(InputError, match="differ in length"):
        decode(values, dtype, "x")


def test_a_list_among_numbers_is_refused() -> None:
    with pytest.raises(InputError, match=r"\[1\]"):
        decode([0, [1]], "uint8", "x")


@pytest.mark.parametrize("values", [None, 1, "12", {"0": 1}, True])
def test_what_is_no_list_is_refused(values: Any) -> None:
    with pytest.raises(InputError, match="not a list"):
        decode(values, "uint8", "x")


@pytest.mark.parametrize(("dtype", "value"), [("float32", 1e39), ("float16", 70_000)])
def test_what_overflows_to_infinity_does_not_pass_the_signature(dtype: str, value: float) -> None:
    with pytest.raises(InputError, match="infinity"):
        TensorSpec("x", dtype, ()).check(decode([1, value], dtype, "x"))
