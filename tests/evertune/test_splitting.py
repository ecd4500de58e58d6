from __future__ import annotations

import numpy as np
import pytest

from evertune.errors import DataError
from evertune.labelling import class_indices
from evertune.rows import Rows
from evertune.splitting import split, train_rows


def numbered(count: int) -> Rows:
    return Rows({"x": np.arange(count)}, np.zeros(count, np.int64))


def test_the_order_is_kept_and_every_row_is_in_one_split() -> None:
    found = split(numbered(1000))
    assert [len(rows) for rows in found.parts.values()] == [700, 100, 50, 150]
    assert np.concatenate([rows.inputs["x"] for rows in found.parts.values()]).tolist() == list(range(1000))
    assert found.train.inputs["x"].tolist() == list(range(1000))[train_rows(1000)]


def test_a_shuffle_is_the_same_at_every_call() -> None:
    first, second = (split(numbered(100), shuffle_seed=3) for _ in range(2))
    order = np.concatenate([rows.inputs["x"] for rows in first.parts.values()])
    assert sorted(order.tolist()) == list(range(100)) != order.tolist()
    np.testing.assert_array_equal(order, np.concatenate([rows.inputs["x"] for rows in second.parts.values()]))


@pytest.mark.parametrize("ratios", [(0.5, 0.5, 0.5, 0.5), (1.2, -0.1, -0.05, -0.05), (0.7, 0.2, 0.1, 0.0)])
def test_ratios_that_do_not_add_up_are_refused(ratios: tuple[float, float, float, float]) -> None:
    with pytest.raises(DataError, match="ratios"):
        split(numbered(100), ratios=ratios)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="5 rows are too few"):
        split(numbered(5))


def test_a_label_that_is_no_class_is_named_with_its_row() -> None:
    assert class_indices([1, "0", 1], ("0", "1")).tolist() == [1, 0, 1]
    assert class_indices(["x", "1"], ("0", "1"), unknown=-1).tolist() == [-1, 1]
    with pytest.raises(DataError, match=r"row 1 has the label 'hat'.*'boot'"):
        class_indices(["boot", "hat"], ("boot", "shoe"))
