from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tune.weights import assign, fits, load_arrays, save_arrays, values_of


def variables(*shapes: tuple[int, ...]) -> list[Any]:
    import keras

    return [keras.Variable(np.full(shape, index, np.float32)) for index, shape in enumerate(shapes)]


def test_groups_of_arrays_come_back_in_their_order(tmp_path: Path) -> None:
    many = [np.full(2, number) for number in range(12)]  # the eleventh must not come before the second
    save_arrays(tmp_path / "sub" / "w.npz", weights=many, best=[np.array(1.5), np.zeros((2, 0))])
    found = load_arrays(tmp_path / "sub" / "w.npz")
    assert [value.tolist() for value in found["weights"]] == [value.tolist() for value in many]
    assert found["best"][0] == 1.5
    assert found["best"][1].shape == (2, 0)


def test_nothing_is_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        save_arrays(tmp_path / "w.npz", weights=[np.array([{}], object)])
    assert list(tmp_path.iterdir()) == []
    with (tmp_path / "w.npz").open("wb") as file:
        np.savez(file, weights=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_arrays(tmp_path / "w.npz")


def test_values_are_copies_that_fit_where_they_came_from() -> None:
    source = variables((2, 3), (3,))
    values = values_of(source)
    source[0].assign(np.full((2, 3), 9.0))
    assert (values[0] == 0).all()
    assert fits(source, values)
    assert assign(source, values)
    assert (values_of(source)[0] == 0).all()


@pytest.mark.parametrize("shapes", [[(2, 3)], [(2, 3), (4,)], [(2, 3), (3,), (1,)]])
def test_values_that_do_not_fit_change_nothing(shapes: list[tuple[int, ...]]) -> None:
    target = variables((2, 3), (3,))
    assert not assign(target, [np.full(shape, 7.0, np.float32) for shape in shapes])
    assert [value.max() for value in values_of(target)] == [0, 1]
