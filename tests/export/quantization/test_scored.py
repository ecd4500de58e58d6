"""Accuracies are those of the batches in which a model is run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import helper

from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings
from evertune.task import Splits, Task
from evertune.tensors import Signature, TensorSpec
from export.candidate import Candidate
from export.recipes import FP32
from export.scoring import with_accuracy, with_risk

Maker = Callable[..., bytes]
SIGNATURE = Signature((TensorSpec("x", "float32", (3,)),), (TensorSpec("probabilities", "float32", (3,)),))


class Threes(Task):
    """Three numbers, three classes."""

    name = "threes"
    labels = ("a", "b", "c")
    inputs = SIGNATURE.inputs

    def load(self) -> Splits:
        raise NotImplementedError

    def build(self, hp: object) -> object:
        raise NotImplementedError


def test_dynamic_scales_are_those_of_the_largest_batch_of_the_server(make: Maker) -> None:
    plain = [helper.make_node("Softmax", ["x"], ["probabilities"])]
    whole = [  # answers depend on the rows beside, as those of dynamic INT8 do
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["mean", "x"], ["y"]),
        helper.make_node("Mul", ["y", "mean"], ["z"]),
        helper.make_node("Softmax", ["z"], ["probabilities"]),
    ]
    random = np.random.default_rng(0)
    rows = Rows({"x": random.standard_normal((90, 3)).astype(np.float32)}, random.integers(0, 3, 90))
    sessions = {
        name: Session(make(nodes, {}, SIGNATURE), SIGNATURE) for name, nodes in ((FP32, plain), ("int8", whole))
    }
    candidates, task = [Candidate(FP32), Candidate("int8")], Threes()

    def by_hand(batch_rows: int) -> float:
        parts = [sessions["int8"].run({"x": rows.inputs["x"][at : at + batch_rows]}) for at in range(0, 90, batch_rows)]
        answers = {"probabilities": np.concatenate([part["probabilities"] for part in parts])}
        return 1 - float(row_losses(task.kind, answers, rows.labels, task.parameters).mean())

    assert len({by_hand(batch_rows) for batch_rows in (2, 7, 64)}) == 3
    risks = set()
    for batch_rows in (2, 7, 64):
        found = with_accuracy(candidates, sessions, rows, task, ExportSettings(batch_rows=batch_rows))
        assert found[1].accuracy == by_hand(batch_rows)
        risks.add(with_risk(candidates, sessions, rows, task, 90, batch_rows)[1].risk)
    assert len(risks) == 3
