from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from evertune.rows import Rows
from evertune.task import LabelledWindow, Splits, Task
from evertune.tensors import TensorSpec


def rows(count: int, value: int) -> Rows:
    return Rows({"image": np.full((count, 2), value, np.uint8)}, np.arange(count) % 2)


class Shoes(Task):
    """The smallest task."""

    name: ClassVar[str] = "shoes"
    labels: ClassVar[tuple[str, ...]] = ("boot", "sandal")
    inputs: ClassVar[tuple[TensorSpec, ...]] = (TensorSpec("image", "uint8", (2,)),)

    def load(self) -> Splits:
        """Rows without meaning."""
        return Splits(rows(40, 0), rows(10, 1), rows(10, 2), rows(10, 3))

    def build(self, hp: Any) -> Any:
        """Nothing to build here."""
        return hp


def test_the_first_search_works_on_the_tasks_own_rows() -> None:
    assert len(LabelledWindow()) == 0
    splits = Shoes().data(LabelledWindow())
    assert [len(split) for split in splits.parts.values()] == [40, 10, 10, 10]


def test_a_retune_mixes_live_rows_in() -> None:
    window = LabelledWindow(rows(400, 9))
    splits = Shoes().data(window)
    assert len(window) == 400
    assert (splits.train.inputs["image"][:, 0] == 9).sum() == 260
    assert (splits.train.inputs["image"][:, 0] == 0).sum() == 40
    assert (splits.test.inputs["image"] == 9).all()


def test_the_signature_has_one_probability_a_class() -> None:
    signature = Shoes().signature
    assert signature.inputs == Shoes.inputs
    assert [spec.to_json() for spec in signature.outputs] == [
        {"name": "probabilities", "dtype": "float32", "shape": [2]}
    ]
