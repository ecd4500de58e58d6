from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evertune.rows import Rows
from evertune.task import Splits
from tune.dataset import digest, open_splits, write_splits


def make(seed: int = 0) -> Splits:
    random = np.random.default_rng(seed)

    def rows(count: int) -> Rows:
        return Rows(
            {"a/b": random.integers(0, 255, (count, 4), np.uint8), "..": random.random((count, 2), np.float32)},
            random.integers(0, 3, count),
            random.random(count),
            random.random(count, np.float32),
            tuple(f"row:{place}" for place in range(count)),
        )

    return Splits(rows(20), rows(10), rows(5), rows(6))


def test_splits_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    splits = make()
    write_splits(splits, tmp_path / "data")
    found = open_splits(tmp_path / "data")
    for name, before in splits.parts.items():
        after = found.parts[name]
        assert list(after.inputs) == list(before.inputs)
        for name in before.inputs:
            assert after.inputs[name].dtype == before.inputs[name].dtype
            assert (after.inputs[name] == before.inputs[name]).all()
        assert (after.labels == before.labels).all()
        assert (after.times == before.times).all()
        assert (after.weights == before.weights).all()
    assert digest(found) == digest(splits)


def test_workers_share_the_pages_and_cannot_write_to_them(tmp_path: Path) -> None:
    write_splits(make(), tmp_path)
    labels = open_splits(tmp_path).train.labels
    assert isinstance(labels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        labels[0] = 1


def test_every_value_and_its_type_is_part_of_the_digest() -> None:
    splits = make()
    assert digest(make()) == digest(splits)
    train = splits.train
    changed = [
        Rows({**train.inputs, "..": train.inputs[".."] + 1}, train.labels, train.times, train.weights),
        Rows(train.inputs, train.labels, train.times, train.weights * 2),
        Rows(train.inputs, train.labels, train.times + 1, train.weights),
        Rows(train.inputs, train.labels.astype(np.int32), train.times, train.weights),
        train.take(slice(0, 19)),
    ]
    digests = {digest(replace(splits, train=rows)) for rows in changed}
    assert len(digests | {digest(splits)}) == len(changed) + 1


def test_the_same_data_are_written_once_and_others_replace_them(tmp_path: Path) -> None:
    write_splits(make(), tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_splits(make(), tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    other = make(1)
    write_splits(other, tmp_path)
    assert digest(open_splits(tmp_path)) == digest(other)


def test_data_that_were_half_written_are_written_again(tmp_path: Path) -> None:
    write_splits(make(), tmp_path)
    (tmp_path / "index.json").unlink()  # written last
    (tmp_path / "train-0.npy").write_bytes(b"half")
    write_splits(make(), tmp_path)
    assert digest(open_splits(tmp_path)) == digest(make())
