"""Arrays as Keras users have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evertune.checks import check_splits
from evertune.errors import DataError, TaskError
from evertune.loading import load_task
from evertune.plain_data import PlainData, describe

X = np.random.default_rng(0).normal(size=(100, 4))
CLASSES = np.arange(100) % 3


def sizes(found: PlainData) -> dict[str, int]:
    return {name: len(rows) for name, rows in found.splits.parts.items()}


def test_parts_that_are_not_given_are_cut_from_the_training_rows() -> None:
    one = describe((X, CLASSES))
    assert sizes(one) == {"train": 68, "validation": 13, "calibration": 4, "test": 15}
    two = describe(((X, CLASSES), (X[:10], CLASSES[:10])))
    assert sizes(two) == {"train": 81, "validation": 15, "calibration": 4, "test": 10}
    three = describe([(X, CLASSES), (X[:20], CLASSES[:20]), (X[:10], CLASSES[:10])])
    assert sizes(three) == {"train": 95, "validation": 20, "calibration": 5, "test": 10}
    rows = np.concatenate([part.inputs["x"] for part in one.splits.parts.values()])
    assert len(np.unique(rows, axis=0)) == 100  # none is in two parts
    again = describe((X, CLASSES)).splits
    assert np.array_equal(one.splits.train.labels, again.train.labels)


def test_the_kind_is_that_of_the_labels() -> None:
    found = describe((X, CLASSES[:, None]))
    assert (found.kind, found.labels, found.loss_scale) == ("classification", ("0", "1", "2"), None)
    assert [(spec.name, spec.dtype, spec.shape) for spec in found.inputs] == [("x", "float32", (4,))]
    named = describe(({"a": X, "b": CLASSES.astype(np.uint8)}, X[:, 0]))
    assert (named.kind, named.labels) == ("regression", ("value",))
    assert named.loss_scale == pytest.approx(float(np.std(named.splits.train.labels)), rel=0.2)
    assert [(spec.name, spec.dtype) for spec in named.inputs] == [("a", "float32"), ("b", "uint8")]
    assert describe((X, np.tile([[1, 1, 0]], (100, 1)))).kind == "multilabel"
    sigmoid = describe((X, CLASSES[:, None] % 2))
    assert (sigmoid.kind, sigmoid.labels, sigmoid.splits.test.labels.shape) == ("multilabel", ("1",), (15, 1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "NoneType"),
        (X, "ndarray"),
        ((X, np.eye(3)[CLASSES]), "one-hot"),
        ((X, X[:, :2]), r"shape \[100, 2\]"),
        ((X, np.array(["a"] * 100)), "dtype <U1"),
    ],
)
def test_what_is_no_such_data_is_refused(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        describe(data)


_MODEL = """\
import numpy as np

def build(hp):
    return None

def data():
    return np.zeros((40, 2)), np.arange(40) % 2

def broken():
    return 1 / 0
"""


def test_a_function_that_builds_models_is_a_task_with_its_data(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(_MODEL)
    task = load_task("mine.py:build", tmp_path)
    assert (task.name, task.labels, task.kind) == ("build", ("0", "1"), "classification")
    check_splits(task, task.load())
    assert task.build(None) is None
    (tmp_path / "shop.py").write_text("def load():\n    return [[0.0]] * 40, [0.5, 1.5] * 20\n")
    other = load_task("mine.py:build@shop.load", tmp_path)
    assert other.kind == "regression"
    assert other.loss_scale == pytest.approx(0.5, abs=0.01)
    with pytest.raises(TaskError, match=r"mine\.py, line 10: broken\(\) failed: ZeroDivisionError"):
        load_task("mine.py:build@broken", tmp_path)
    with pytest.raises(TaskError, match="no function 'gone'"):
        load_task("mine.py:build@gone", tmp_path)
