from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evertune.errors import TaskError
from evertune.guarded import guarded_slices
from evertune.task import Splits, Task
from evertune.tensors import Tensors, TensorSpec

ROWS = {"x": np.arange(9, dtype=np.float32).reshape(9, 1)}


class Plain(Task):
    name = "plain"
    labels = ("a", "b")
    inputs = (TensorSpec("x", "float32", (1,)),)

    def load(self) -> Splits:
        raise NotImplementedError

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


def guarding(masks: Any) -> Task:
    class Guarding(Plain):
        def guarded_slices(self, inputs: Tensors) -> Any:
            return masks(inputs["x"][:, 0])

    return Guarding()


def test_masks_are_of_the_rows_given() -> None:
    assert guarded_slices(Plain(), ROWS) == {}
    (mask,) = guarded_slices(guarding(lambda x: {"high": x > 6}), ROWS).values()
    assert mask.tolist() == [False] * 7 + [True] * 2


@pytest.mark.parametrize(
    ("masks", "told"),
    [
        (lambda x: {"high": x}, "'high' has dtype float32 and shape \\[9\\]"),
        (lambda x: {"high": (x > 6)[:5]}, "shape \\[5\\]"),
        (lambda x: {"": x > 6}, "guarded slice ''"),
        (lambda x: {"high": x > np.median(x[x > 0])}, "'high' holds other rows when fewer are given"),
        (lambda x: {str(number): x > 6 for number in range(9)}, "9 guarded slices, 8 at most"),
        (lambda x: {"high": x > 1 / 0}, r"test_guarded\.py, line \d+: Task\.guarded_slices failed: ZeroDivisionError"),
    ],
    ids=["dtype", "shape", "name", "quantile", "many", "error"],
)
def test_what_would_not_hold_at_the_gate_is_refused(masks: Any, told: str) -> None:
    with pytest.raises(TaskError, match=told):
        guarded_slices(guarding(masks), ROWS)
