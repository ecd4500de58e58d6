from __future__ import annotations

import numpy as np
import pytest

from evertune.mixing import mix
from evertune.rows import Rows

_SPLITS = ("train", "validation", "calibration", "test")


def old(count: int = 1000) -> dict[str, Rows]:
    labels = np.zeros(count, np.int64)
    return {name: Rows({"x": np.full(count, i)}, labels) for i, name in enumerate(_SPLITS)}


def live(count: int) -> Rows:
    """Labelled rows that come in any order; weight 4, as if a quarter had been labelled."""
    times = np.random.default_rng(0).permutation(count).astype(np.float64) + 100
    ids = tuple(f"live {time:.0f}" for time in times)
    return Rows({"x": np.full(count, 9)}, np.ones(count, np.int64), times, np.full(count, 4, np.float32), ids)


def test_every_new_row_is_in_one_split_and_the_newest_judge() -> None:
    mixed = mix(old(), live(1000))
    new = {name: [row for row in rows.ids if row] for name, rows in mixed.items()}
    everywhere = [row for rows in new.values() for row in rows]
    assert sorted(everywhere) == sorted(live(1000).ids)
    times = {name: [rows.times[i] for i, row in enumerate(rows.ids) if row] for name, rows in mixed.items()}
    assert max(times["train"]) < min(times["calibration"])
    assert max(times["calibration"]) < min(times["validation"])
    assert max(times["validation"]) < min(times["test"])
    assert mixed.keys() == set(_SPLITS)


def test_old_and_new_training_rows_weigh_the_same() -> None:
    train = mix(old(5000), live(1000), replay_ratio=2.0)["train"]
    is_new = train.inputs["x"] == 9
    assert is_new.sum() == 650
    assert (~is_new).sum() == 1300
    assert train.weights[is_new].sum() == pytest.approx(train.weights[~is_new].sum(), rel=1e-5)
    assert set(train.weights[is_new]) == {4.0}


def test_few_new_rows_are_topped_up_with_old_ones_of_the_same_split() -> None:
    mixed = mix(old(200), live(100))
    for i, name in enumerate(_SPLITS[1:], start=1):
        assert (mixed[name].inputs["x"] == i).sum() == 200
    enough = mix(old(200), live(1000))
    assert all((enough[name].inputs["x"] == 9).all() for name in _SPLITS[1:])


def test_an_empty_window_gives_the_old_rows() -> None:
    mixed = mix(old(30), live(0))
    assert all(len(rows) == 30 for rows in mixed.values())


def test_the_draw_of_old_rows_follows_the_seed() -> None:
    rows = {name: Rows({"x": np.arange(500)}, np.zeros(500)) for name in _SPLITS}
    draws = [mix(rows, live(100), seed=seed)["train"].inputs["x"].tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
