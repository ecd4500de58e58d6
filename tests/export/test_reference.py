from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evertune.bundle import ConfidenceMap
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from export.seal import _reference


class Price(Task):
    name = "price"
    kind = "regression"
    labels = ("price",)
    loss_scale = 1.0
    inputs = (TensorSpec("x", "float32", (1,)),)

    def load(self) -> Splits:
        raise NotImplementedError

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


def test_rows_in_time_order_that_grow_harder_do_not_make_the_bound_smaller() -> None:
    random = np.random.default_rng(0)
    errors = np.clip(np.linspace(0.3, 0.9, 4000) + random.normal(0, 0.02, 4000), 0, 1).astype(np.float32)
    rows = Rows({"x": np.zeros((4000, 1), np.float32)}, np.zeros(4000, np.float32))
    found = _reference({"value": errors[:, None]}, rows, Price(), ConfidenceMap((0.0, 1.0), (0.0, 1.0), 10))
    assert found.loss_mean == pytest.approx(errors.mean(), abs=1e-6)
    assert found.loss_mean < found.loss_upper_bound < found.loss_mean + 0.05
