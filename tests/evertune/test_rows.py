from __future__ import annotations

import numpy as np
import pytest

from evertune.errors import DataError
from evertune.rows import Rows
from evertune.tensors import Array


def make(count: int, start: int = 0) -> Rows:
    numbers = np.arange(start, start + count)
    ids = tuple(f"row {number}" for number in numbers)
    return Rows({"x": numbers * 10}, numbers, numbers.astype(float), np.ones(count, np.float32), ids)


def test_times_weights_and_ids_have_defaults() -> None:
    rows = Rows({"x": np.zeros((3, 2))}, np.array([0, 1, 0]))
    assert (rows.times.tolist(), rows.weights.tolist(), rows.ids) == ([0, 0, 0], [1, 1, 1], ("", "", ""))
    assert rows.weights.dtype == np.float32
    assert len(rows) == 3


def test_rows_of_different_lengths_are_named() -> None:
    with pytest.raises(DataError, match=r"'labels': 2.*\"inputs\['x'\]\": 3"):
        Rows({"x": np.zeros(3)}, np.zeros(2))


@pytest.mark.parametrize(
    ("indices", "expected"),
    [(np.array([2, 0]), [2, 0]), (np.array([False, True, True]), [1, 2]), (slice(1, None), [1, 2]), (slice(0, 0), [])],
)
def test_taking_keeps_every_column_in_step(indices: Array | slice, expected: list[int]) -> None:
    taken = make(3).take(indices)
    assert taken.labels.tolist() == expected
    assert taken.inputs["x"].tolist() == [10 * number for number in expected]
    assert taken.times.tolist() == expected
    assert taken.ids == tuple(f"row {number}" for number in expected)


def test_reweighting_leaves_the_original_alone() -> None:
    rows = make(2)
    assert rows.reweighted(2.5).weights.tolist() == [2.5, 2.5]
    assert rows.weights.tolist() == [1.0, 1.0]


def test_concatenating_keeps_order() -> None:
    both = Rows.concatenate([make(2), make(0), make(2, 5)])
    assert both.labels.tolist() == [0, 1, 5, 6]
    assert both.ids == ("row 0", "row 1", "row 5", "row 6")
    assert both.inputs["x"].tolist() == [0, 10, 50, 60]
