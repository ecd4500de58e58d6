from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertune.errors import InputError
from evertune.preprocessing import Numbers

STRICT = Numbers.fit({"a": [1.0, 3.0], "b": [5, 5]}, ["a", "b"])
LENIENT = Numbers.fit({"a": [1.0, None, 3.0, math.nan]}, ["a"], missing="mean")


def test_statistics_are_those_of_the_rows_that_are_there() -> None:
    assert (STRICT.mean, STRICT.deviation, STRICT.fill) == ((2.0, 5.0), (1.0, 1.0), (None, None))
    assert (LENIENT.mean, LENIENT.deviation, LENIENT.fill) == ((2.0,), (1.0,), (2.0,))


def test_values_are_not_scaled_and_stand_in_the_order_of_the_columns() -> None:
    found = STRICT.transform({"b": [1, 2], "a": [10, 20.5], "c": ["ignored", None]})
    assert found.dtype == np.float32
    assert found.tolist() == [[10, 1], [20.5, 2]]


def test_missing_values_are_filled_or_refused_by_name_and_row() -> None:
    assert LENIENT.transform({"a": [None, math.nan, 7]}).ravel().tolist() == [2, 2, 7]
    with pytest.raises(InputError, match=r"column 'a', row 1: the value is missing"):
        STRICT.transform({"a": [1, None], "b": [1, 1]})


@pytest.mark.parametrize("bad", ["1", True, [1], {"a": 1}, 1e39, -(10**40), math.inf, -math.inf, b"1"])
def test_what_is_no_finite_number_is_refused_by_name_and_row(bad: Any) -> None:
    for step in (STRICT, LENIENT):
        with pytest.raises(InputError, match=r"column 'a', row 2") as refused:
            step.transform({"a": [1, 2.5, bad], "b": [1, 2, 3]})
        assert refused.value.details == {"column": "a", "row": 2}


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_any_float32_passes_unchanged(values: list[float]) -> None:
    assert LENIENT.transform({"a": values}).ravel().tolist() == values


@pytest.mark.parametrize(
    "change",
    [{"mean": [math.inf]}, {"deviation": [0.0]}, {"deviation": [-1.0]}, {"fill": [math.nan]}, {"names": []},
     {"names": ["a", "a"]}, {"names": [1]}, {"output": ""}, {"fill": [1.0, 2.0]}],
)  # fmt: skip
def test_forged_data_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Numbers.from_json({**LENIENT.to_json(), **change})
