"""Graphs made by hand, small enough to know what must come of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from evertune.rows import Rows
from evertune.tensors import Array, Signature, TensorSpec

Maker = Callable[[Sequence[NodeProto], dict[str, Array], Signature], bytes]


@pytest.fixture
def make() -> Maker:
    """An ONNX file of nodes and weights; inputs float32."""

    def made(nodes: Sequence[NodeProto], weights: dict[str, Array], signature: Signature) -> bytes:
        boundary = [
            [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, ["batch", *spec.shape]) for spec in specs]
            for specs in (signature.inputs, signature.outputs)
        ]
        values = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
        graph = helper.make_graph(list(nodes), "made", boundary[0], boundary[1], values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        model.ir_version = 10
        content: bytes = model.SerializeToString()
        return content

    return made


@pytest.fixture
def signature() -> Signature:
    """One channel of 8 by 8, three classes."""
    return Signature((TensorSpec("x", "float32", (1, 8, 8)),), (TensorSpec("probabilities", "float32", (3,)),))


@pytest.fixture
def convolution(make: Maker, signature: Signature) -> bytes:
    """softmax(flatten(relu(conv(x))) @ w)."""
    random = np.random.default_rng(0)
    shapes = {"k": (4, 1, 3, 3), "w": (144, 3)}
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["probabilities"]),
    ]
    return make(nodes, {name: 0.1 * random.standard_normal(shape) for name, shape in shapes.items()}, signature)


@pytest.fixture
def rows() -> Rows:
    """700 images of noise."""
    images = np.random.default_rng(1).standard_normal((700, 1, 8, 8)).astype(np.float32)
    return Rows({"x": images}, np.zeros(700, np.int64))


@pytest.fixture
def wide(make: Maker, wide_signature: Signature) -> bytes:
    """softmax(relu(x @ a + b) @ c + d), 256 wide: matrices that 4 bits are for, the second one transposed."""
    random = np.random.default_rng(2)
    weights = {
        "a": random.standard_normal((256, 256)) / 16,
        "b": random.standard_normal(256),
        "c": random.standard_normal((256, 256)) / 16,
        "d": random.standard_normal(256),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["q"]),
        helper.make_node("Relu", ["q"], ["r"]),
        helper.make_node("Gemm", ["r", "c", "d"], ["z"], transB=1),
        helper.make_node("Softmax", ["z"], ["probabilities"]),
    ]
    return make(nodes, weights, wide_signature)


@pytest.fixture
def wide_signature() -> Signature:
    """256 numbers, 256 classes."""
    return Signature((TensorSpec("x", "float32", (256,)),), (TensorSpec("probabilities", "float32", (256,)),))


@pytest.fixture
def wide_rows() -> Rows:
    """128 rows of 256 numbers."""
    x = np.random.default_rng(3).standard_normal((128, 256)).astype(np.float32)
    return Rows({"x": x}, np.zeros(128, np.int64))
