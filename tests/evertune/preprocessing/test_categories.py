from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from evertune.errors import InputError
from evertune.preprocessing import Categories

ROWS: dict[str, list[Any]] = {"city": ["Oslo", "Rome", "Rome", None], "user": [7, 7, 3, 12]}


def test_the_most_frequent_come_first_and_ties_by_name() -> None:
    step = Categories.fit(ROWS, ["city", "user"])
    assert step.vocabularies == (("Rome", "Oslo"), ("7", "12", "3"))
    assert step.sizes == (3, 4)


def test_unknown_and_missing_values_are_zero() -> None:
    found = Categories.fit(ROWS, ["city", "user"]).transform(
        {"city": ["Rome", "Paris", None, math.nan, ""], "user": [3, 99, "7", np.int64(12), None]}
    )
    assert found.dtype == np.int32
    assert found.tolist() == [[1, 3], [0, 0], [0, 1], [0, 2], [0, 0]]


def test_rare_values_and_those_over_the_limit_stay_unknown() -> None:
    assert Categories.fit(ROWS, ["user"], min_count=2).vocabularies == (("7",),)
    assert Categories.fit(ROWS, ["user"], max_values=2).vocabularies == (("7", "12"),)


def test_booleans_are_values() -> None:
    step = Categories.fit({"paid": [True, False, True]}, ["paid"])
    assert step.transform({"paid": [False, True, "true", 1]}).ravel().tolist() == [2, 1, 1, 0]


@pytest.mark.parametrize("bad", [1.5, 7.0, [7], {"a": 1}, b"7"])
def test_what_is_no_category_is_refused_by_name_and_row(bad: Any) -> None:
    with pytest.raises(InputError, match=r"column 'user', row 1"):
        Categories.fit(ROWS, ["user"]).transform({"user": [7, bad]})


@pytest.mark.parametrize(
    "change",
    [
        {"vocabularies": []},
        {"vocabularies": [["a", "a"]]},
        {"vocabularies": [[1]]},
        {"names": ["a", "b"]},
        {"output": 1},
    ],
)
def test_forged_data_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Categories.from_json({**Categories.fit(ROWS, ["user"]).to_json(), **change})
