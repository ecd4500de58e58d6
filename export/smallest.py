"""The smallest model there is: what loads it tells of ONNX Runtime, not of a model."""

from __future__ import annotations

from typing import Any

from evertune.tensors import Signature, TensorSpec

SIGNATURE = Signature((TensorSpec("x", "float32", (1,)),), (TensorSpec("y", "float32", (1,)),))
"""Of `smallest_model`."""


def smallest_model() -> bytes:
    """An ONNX file of one operator."""
    from onnx import TensorProto, helper

    values: list[Any] = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "smallest", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
