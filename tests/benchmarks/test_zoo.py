"""The zoo's judge finds what exporters get wrong; the zoo is as large as is claimed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks._zoo.groups import GROUPS, entries_of
from benchmarks._zoo.judge import InvalidArtifactError, judge
from evertune.tensors import Array, Signature, Tensors, TensorSpec

SIGNATURE = Signature((TensorSpec("x", "float32", (4,)),), (TensorSpec("probabilities", "float32", (3,)),))
WEIGHT = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
ROWS = {"x": np.random.default_rng(1).standard_normal((80, 4)).astype(np.float32)}


def source(batch: Tensors) -> list[Array]:
    return [batch["x"] @ WEIGHT]


def graph(path: Path, *, batch: Any = "batch", fed: bool = True, operator: str = "MatMul", scale: float = 1.0) -> Path:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 4])]
    weights = [numpy_helper.from_array(WEIGHT * np.float32(scale), "w")] if fed else []
    if not fed:
        inputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3]))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3])]
    made = helper.make_graph([helper.make_node(operator, ["x", "w"], ["y"])], "g", inputs, outputs, weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    path.write_bytes(model.SerializeToString())
    return path


def test_a_sound_file_passes(tmp_path: Path) -> None:
    assert judge(graph(tmp_path / "m.onnx"), SIGNATURE, (source,), ROWS) < 1e-5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch": 2}, "asked for was"),
        ({"fed": False}, "asked for was"),
        ({"operator": "Erfc"}, "Erfc"),
        ({"scale": 1.01}, "answers differ by"),
    ],
)
def test_what_exporters_get_wrong_is_found(wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArtifactError, match=message):
        judge(graph(tmp_path / "m.onnx", **wrong), SIGNATURE, (source,), ROWS)


def test_the_zoo_has_a_hundred_models_of_different_names() -> None:
    names = [(group, entry.name) for group in GROUPS for entry in entries_of(group)]
    assert len(names) == len(set(names)) >= 100
