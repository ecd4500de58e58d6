"""Folding and fusing before anything else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from evertune.rows import Rows
from evertune.tensors import Signature, TensorSpec
from export.quantization import Quantizer, optimise
from export.recipes import recipe_named
from export.verify import verify

Maker = Callable[..., bytes]


@pytest.fixture
def normalized(make: Maker, signature: Signature) -> bytes:
    """A convolution and a BatchNormalization as Keras on torch writes it: minus mean, times scale, plus offset."""
    random = np.random.default_rng(0)
    shapes = {"k": (4, 1, 3, 3), "mean": (1, 4, 1, 1), "scale": (1, 4, 1, 1), "offset": (1, 4, 1, 1), "w": (144, 3)}
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Sub", ["c", "mean"], ["s"]),
        helper.make_node("Mul", ["s", "scale"], ["m"]),
        helper.make_node("Add", ["m", "offset"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["probabilities"]),
    ]
    return make(nodes, {name: random.standard_normal(shape) for name, shape in shapes.items()}, signature)


def test_normalization_becomes_part_of_the_convolution(normalized: bytes, signature: Signature) -> None:
    content = optimise(normalized, signature)
    model = onnx.ModelProto.FromString(content)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu", "Flatten", "MatMul", "Softmax"]
    assert [each.domain for each in model.opset_import] == [""]  # nothing of one runtime or one processor
    x = {"x": np.random.default_rng(1).standard_normal((7, 1, 8, 8)).astype(np.float32)}
    before, after = (verify(each, signature).run(x)["probabilities"] for each in (normalized, content))
    assert np.abs(before - after).max() < 1e-5


def test_the_bytes_are_the_same_in_every_process_and_the_second_time(
    normalized: bytes, signature: Signature, tmp_path: Path
) -> None:
    once = optimise(normalized, signature)
    assert optimise(once, signature) == once
    (tmp_path / "model.onnx").write_bytes(normalized)
    code = f"""
import hashlib
from evertune.rows import Rows
from evertune.tensors import Signature, TensorSpec
from export.quantization import Quantizer, optimise
from export.recipes import recipe_named
signature = Signature((TensorSpec("x", "float32", (1, 8, 8)),), (TensorSpec("probabilities", "float32", (3,)),))
print(optimise(open({str(tmp_path / "model.onnx")!r}, "rb").read(), signature).hex())
"""
    environment = {"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert bytes.fromhex(done.stdout.strip()) == once


def test_a_model_without_products_is_left_as_it_is(make: Maker, signature: Signature) -> None:
    flat = Signature(signature.inputs, (TensorSpec("probabilities", "float32", (64,)),))
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("Softmax", ["f"], ["probabilities"])]
    content = make(nodes, {}, flat)
    assert optimise(content, flat) == content


def test_a_bias_with_a_first_axis_of_one_can_be_quantized_per_channel(make: Maker) -> None:
    signature = Signature((TensorSpec("x", "float32", (8,)),), (TensorSpec("probabilities", "float32", (3,)),))
    nodes = [
        helper.make_node("Gemm", ["x", "v", "b"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["probabilities"]),
    ]
    random = np.random.default_rng(0)
    weights = {name: random.standard_normal(shape) for name, shape in {"v": (8, 6), "b": (1, 6), "w": (6, 3)}.items()}
    rows = Rows({"x": random.standard_normal((70, 8)).astype(np.float32)}, np.zeros(70, np.int64))
    plain = make(nodes, weights, signature)
    content = optimise(plain, signature)
    small = Quantizer(content, signature, rows).quantize(recipe_named("int8-static-matmul-u8s8"))
    exact, same, close = (verify(each, signature).run(rows.inputs)["probabilities"] for each in (plain, content, small))
    assert np.abs(exact - same).max() < 1e-6
    assert 0 < np.abs(exact - close).max() < 0.1
