"""Weights in INT8 in the file, FP32 at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evertune.errors import ExportError
from evertune.tensors import Array
from export.recipes import CONVOLUTIONS

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

SMALLEST = 1024  # numbers in a weight; below, scales and nodes take what the bits save
_LARGEST_STEP = 127  # symmetric: no zero point to store, and -128 is not used


def to_stored_int8(model: ModelProto, keep: tuple[str, ...] = ()) -> ModelProto:
    """Stores each FP32 weight of 1,024 numbers or more as INT8 and a scale for each channel.

    ONNX Runtime multiplies them while it loads the model, since both are constant. So the kernels of FP32 run, no
    faster and no slower than before, on any processor; those of quantized convolutions may be much slower.

    Args:
        model: FP32; changed.
        keep: Names of nodes whose weights stay in FP32.

    Raises:
        ExportError: There is no such weight.
    """
    graph = model.graph
    axes = {name: axis for node in graph.node for name, axis in _weights(node)}
    kept = {name for node in graph.node if node.name in keep for name in node.input}
    chosen = [item for item in graph.initializer if item.name in axes.keys() - kept and _is_large(item)]
    if not chosen:
        raise ExportError(
            f"int8-weights: no weight has {SMALLEST:,} numbers or more", fix="Nothing: another precision ships."
        )
    for item in chosen:
        _store(graph, item, axes[item.name])
    return model


def _weights(node: NodeProto) -> list[tuple[str, int]]:
    """Inputs that may be weights, each with the axis of its channels."""
    if node.op_type in CONVOLUTIONS or node.op_type == "Gather":
        return [(node.input[0 if node.op_type == "Gather" else 1], 0)]
    if node.op_type == "Gemm" and any(each.name == "transB" and each.i for each in node.attribute):
        return [(node.input[1], 0)]
    return [(name, -1) for name in node.input]


def _is_large(item: TensorProto) -> bool:
    from onnx import TensorProto

    return item.data_type == TensorProto.FLOAT and len(item.dims) > 1 and int(np.prod(item.dims)) >= SMALLEST


def _store(graph: GraphProto, item: TensorProto, axis: int) -> None:
    from onnx import TensorProto, helper, numpy_helper

    name = item.name
    steps, scale = _rounded(numpy_helper.to_array(item), axis)
    whole, stored, scales = f"{name}_whole", f"{name}_int8", f"{name}_scale"
    graph.initializer.remove(item)
    graph.initializer.extend([numpy_helper.from_array(steps, stored), numpy_helper.from_array(scale, scales)])
    graph.node.insert(0, helper.make_node("Mul", [whole, scales], [name], name=name))
    graph.node.insert(0, helper.make_node("Cast", [stored], [whole], name=whole, to=TensorProto.FLOAT))


def _rounded(value: Array, axis: int) -> tuple[Array, Array]:
    others = tuple(number for number in range(value.ndim) if number != axis % value.ndim)
    scale = np.maximum(np.abs(value).max(axis=others, keepdims=True), np.finfo(np.float32).tiny) / _LARGEST_STEP
    return np.rint(value / scale).astype(np.int8), scale.astype(np.float32)
