"""Large matrices in 4 bits, computed with their FP32 values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evertune.errors import ExportError
from export.quantization.quiet import quiet_runtime

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

SMALLEST = 256 * 256  # numbers in a matrix; below, scales and the slower kernel cost more than bits save
_INT8_PRODUCTS = 4  # accuracy level: the kernel multiplies in INT8 where the processor can


def to_four_bit(model: ModelProto, block_rows: int, keep: tuple[str, ...] = ()) -> ModelProto:
    """Every constant matrix of at least 65,536 numbers in 4 bits, `block_rows` rows of a column sharing a scale.

    Args:
        model: FP32; changed.
        block_rows: 32, 64 or 128.
        keep: Names of nodes that stay in FP32.

    Raises:
        ExportError: There is no such matrix.
    """
    large = _large_products(model.graph, keep)
    if not large:
        raise ExportError(f"int4: no matrix has {SMALLEST:,} numbers or more", fix="Nothing: another precision ships.")
    _split_gemm(model.graph, large)
    others = [node.name for node in model.graph.node if node.op_type == "MatMul" and node.name not in large]
    with quiet_runtime():
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        quantizer = MatMulNBitsQuantizer(
            model, block_size=block_rows, accuracy_level=_INT8_PRODUCTS, nodes_to_exclude=others
        )
        quantizer.process()
    made: ModelProto = quantizer.model.model
    return made


def _large_products(graph: GraphProto, keep: tuple[str, ...]) -> set[str]:
    sizes = {item.name: tuple(item.dims) for item in graph.initializer}
    return {
        node.name
        for node in graph.node
        if node.name not in keep and _is_plain_product(node) and _is_large(sizes.get(node.input[1], ()))
    }


def _is_large(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and shape[0] * shape[1] >= SMALLEST


def _is_plain_product(node: NodeProto) -> bool:
    from onnx.helper import get_node_attr_value

    if node.op_type != "Gemm":
        return node.op_type == "MatMul"
    given = {each.name: get_node_attr_value(node, each.name) for each in node.attribute}
    return not given.get("transA") and given.get("alpha", 1.0) == given.get("beta", 1.0) == 1.0


def _split_gemm(graph: GraphProto, names: set[str]) -> None:
    """Gemm becomes MatMul and Add: only MatMul has a 4-bit kernel."""
    from onnx.helper import make_node

    weights = {item.name: item for item in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type != "Gemm" or node.name not in names:
            nodes.append(node)
            continue
        if any(each.name == "transB" and each.i for each in node.attribute):
            node.input[1] = _transposed(graph, weights[node.input[1]].name)
        product = node.output[0] if len(node.input) < 3 else f"{node.output[0]}_product"
        nodes.append(make_node("MatMul", node.input[:2], [product], name=node.name))
        if len(node.input) == 3:
            nodes.append(make_node("Add", [product, node.input[2]], node.output, name=f"{node.name}_bias"))
    del graph.node[:]
    graph.node.extend(nodes)


def _transposed(graph: GraphProto, name: str) -> str:
    from onnx import numpy_helper

    (weight,) = (item for item in graph.initializer if item.name == name)
    turned = f"{name}_transposed"
    if not any(item.name == turned for item in graph.initializer):
        value = np.ascontiguousarray(numpy_helper.to_array(weight).T)
        graph.initializer.append(numpy_helper.from_array(value, turned))
    return turned
