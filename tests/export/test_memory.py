"""Memory and load time, each model in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from evertune.runtime import Session
from evertune.runtime.session import CPU
from evertune.tensors import Signature
from export.external import OnnxFiles
from export.memory import measure_memory

GraphMaker = Callable[..., bytes]
MEGABYTE = 2**20


def with_ballast(megabytes: int) -> bytes:
    """probabilities = x @ (the first three columns of a large matrix)."""
    matrix = np.ones((4, megabytes * MEGABYTE // 16), np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["all"]),
        helper.make_node("Slice", ["all", "start", "stop", "axis"], ["probabilities"]),
    ]
    numbers = {"start": 0, "stop": 3, "axis": 1}
    weights = [numpy_helper.from_array(np.array([value], np.int64), name) for name, value in numbers.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])]
    graph = helper.make_graph(nodes, "ballast", inputs, outputs, [*weights, numpy_helper.from_array(matrix, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_growth_is_that_of_the_model_whatever_came_before_it(linear: GraphMaker, signature: Signature) -> None:
    small, large = linear(), with_ballast(32)
    models = {"first": OnnxFiles(small), "large": OnnxFiles(large), "small": OnnxFiles(small)}
    rows = {"x": np.zeros((1, 4), np.float32)}
    found = measure_memory(models, Session(small, signature), rows, CPU)
    assert list(found) == ["first", "large", "small"]
    assert 32 * MEGABYTE <= found["large"].memory_bytes < 6 * 32 * MEGABYTE
    assert max(found["first"].memory_bytes, found["small"].memory_bytes) < 16 * MEGABYTE
    assert 0 < found["small"].load_seconds < found["large"].load_seconds


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_model_that_does_not_load_leaves_the_others_their_figures(linear: GraphMaker, signature: Signature) -> None:
    models = {"broken": OnnxFiles(b"no model"), "sound": OnnxFiles(linear())}
    found = measure_memory(models, Session(linear(), signature), {"x": np.zeros((1, 4), np.float32)}, CPU)
    assert list(found) == ["sound"]
