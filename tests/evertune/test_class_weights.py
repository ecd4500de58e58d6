from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from evertune.class_weights import with_class_weights
from evertune.errors import TaskError
from evertune.loading import load_task
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec


class Skewed(Task):
    """Few bees."""

    name = "skewed"
    labels = ("ant", "bee", "cat")
    inputs = (TensorSpec("x", "float32", (1,)),)

    def load(self) -> Splits:
        part = Rows({"x": np.zeros((10, 1), np.float32)}, np.array([0] * 7 + [1] * 1 + [2] * 2))
        return Splits(part, part, part, part)

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


def weights(class_weights: Any) -> Splits:
    task = Skewed()
    task.class_weights = class_weights  # type: ignore[misc]  # of this object only
    return with_class_weights(task, task.load())


def test_balanced_weights_are_scikit_learns_and_touch_training_rows_only() -> None:
    splits = weights("balanced")
    labels = splits.train.labels
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert splits.train.weights == pytest.approx(expected[labels])
    assert (splits.validation.weights == 1).all()
    assert (splits.test.weights == 1).all()


def test_weights_by_name_multiply_and_the_rest_keep_theirs() -> None:
    assert weights({"bee": 5.0}).train.weights.tolist() == [1.0] * 7 + [5.0] + [1.0] * 2


def test_without_class_weights_the_splits_stay_as_they_are() -> None:
    task = Skewed()
    splits = task.load()
    assert with_class_weights(task, splits) is splits


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('class_weights = {"hat": 2.0}', "'hat'"),
        ('class_weights = {"a": -1}', "-1"),
        ('class_weights = "heavy"', "'heavy'"),
        ('class_weights = "balanced"; kind = "multilabel"', "'multilabel'"),
    ],
)
def test_weights_that_mean_nothing_are_refused_when_the_task_is_loaded(tmp_path: Path, line: str, named: str) -> None:
    (tmp_path / "task.py").write_text(
        "from evertune.task import Task\nfrom evertune.tensors import TensorSpec\n"
        "class T(Task):\n    name = 't'\n    labels = ('a', 'b')\n    inputs = (TensorSpec('x', 'float32', (1,)),)\n"
        f"    {line}\n    def load(self): ...\n    def build(self, hp): ...\n"
    )
    with pytest.raises(TaskError, match=f"class_weights.*{named}|{named}.*class_weights"):
        load_task("task.py:T", tmp_path)
