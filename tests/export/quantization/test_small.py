"""FP16, weights in INT8, large matrices in 4 bits."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.tensors import Signature, TensorSpec
from export.graph import finish
from export.quantization import Quantizer
from export.recipes import recipe_named
from export.verify import verify

Maker = Callable[..., bytes]


@pytest.mark.parametrize(
    ("name", "ratio", "distance"),
    [("fp16", 0.51, 1e-3), ("int8-weights", 0.28, 0.01), ("int4", 0.19, 0.1), ("int4-128", 0.16, 0.1)],
)
def test_the_file_shrinks_and_answers_stay_close(
    name: str, ratio: float, distance: float, wide: bytes, wide_signature: Signature, wide_rows: Rows
) -> None:
    quantizer = Quantizer(wide, wide_signature, wide_rows)
    content = quantizer.quantize(recipe_named(name))
    assert content == Quantizer(wide, wide_signature, wide_rows).quantize(recipe_named(name))
    assert len(content) < ratio * len(wide)
    before, after = (verify(each, wide_signature).run(wide_rows.inputs)["probabilities"] for each in (wide, content))
    assert 0 < np.abs(before - after).max() < distance


def test_stored_weights_are_computed_with_as_fp32_does_bit_for_bit(
    wide: bytes, wide_signature: Signature, wide_rows: Rows
) -> None:
    """So its golden rows have FP32's tolerance."""
    stored = Quantizer(wide, wide_signature, wide_rows).quantize(recipe_named("int8-weights"))
    model = onnx.ModelProto.FromString(stored)
    values = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    makers = {node.output[0]: node for node in model.graph.node}
    for node in [each for each in model.graph.node if each.op_type == "Mul" and each.input[0] in makers]:
        whole = values[makers[node.input[0]].input[0]].astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(whole * values[node.input[1]], node.output[0]))
        model.graph.node.remove(node)
        model.graph.node.remove(makers[node.input[0]])
    assert not {"Cast", "Mul"} & {node.op_type for node in model.graph.node}
    multiplied = finish(model, wide_signature)
    found, expected = (verify(each, wide_signature).run(wide_rows.inputs) for each in (stored, multiplied))
    assert len(multiplied) > 3 * len(stored)
    assert np.array_equal(found["probabilities"], expected["probabilities"])


def test_half_keeps_fp32_at_the_boundary(wide: bytes, wide_signature: Signature, wide_rows: Rows) -> None:
    graph = onnx.ModelProto.FromString(Quantizer(wide, wide_signature, wide_rows).quantize(recipe_named("fp16"))).graph
    assert {item.data_type for item in graph.initializer} == {TensorProto.FLOAT16}
    ends = (*graph.input, *graph.output)
    assert {value.type.tensor_type.elem_type for value in ends} == {TensorProto.FLOAT}


@pytest.fixture
def product(make: Maker) -> Callable[[float, float], tuple[bytes, Signature]]:
    """tanh((x * gain) @ w) with one weight set."""

    def of(gain: float, weight: float) -> tuple[bytes, Signature]:
        signature = Signature((TensorSpec("x", "float32", (4,)),), (TensorSpec("value", "float32", (4,)),))
        w = np.eye(4) * 1e-3
        w[0, 0] = weight
        nodes = [
            helper.make_node("Mul", ["x", "gain"], ["g"]),
            helper.make_node("MatMul", ["g", "w"], ["p"]),
            helper.make_node("Tanh", ["p"], ["value"]),
        ]
        return make(nodes, {"gain": np.full((1, 1), gain), "w": w}, signature), signature

    return of


@pytest.mark.parametrize(
    ("gain", "weight", "message"),
    [(1.0, 70_000.0, r"fp16: weight \w+ is 7e\+04"), (50_000.0, 1.0, r"fp16: a value \(\w+\) reaches 1e\+05")],
)
def test_an_overflow_is_refused_with_its_value(
    gain: float, weight: float, message: str, product: Callable[[float, float], tuple[bytes, Signature]]
) -> None:
    content, signature = product(gain, weight)
    rows = Rows({"x": np.full((8, 4), 2, np.float32)}, np.zeros(8, np.int64))
    with pytest.raises(ExportError, match=message):
        Quantizer(content, signature, rows).quantize(recipe_named("fp16"))


def test_stored_weights_keep_kernels_and_a_scale_for_each_channel(
    convolution: bytes, make: Maker, signature: Signature, rows: Rows
) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["probabilities"]),
    ]
    random = np.random.default_rng(0)
    weights = {"k": random.standard_normal((32, 1, 6, 6)), "w": random.standard_normal((288, 3)) * [1, 10, 100]}
    content = make(nodes, weights, signature)
    graph = onnx.ModelProto.FromString(Quantizer(content, signature, rows).quantize(recipe_named("int8-weights"))).graph
    kinds = [node.op_type for node in graph.node]
    assert [kind for kind in kinds if kind not in ("Cast", "Mul")] == ["Conv", "Flatten", "MatMul", "Softmax"]
    types = {tuple(item.dims): item.data_type for item in graph.initializer}
    assert types[32, 1, 6, 6] == TensorProto.INT8
    assert (32, 1, 1, 1) in types
    assert types[288, 3] == TensorProto.FLOAT  # 864 numbers: too few to gain


def test_a_process_that_has_set_up_no_logging_hears_nothing_either(
    wide: bytes, wide_signature: Signature, wide_rows: Rows, tmp_path: Path
) -> None:
    saved = tmp_path / "quantizer.pickle"
    saved.write_bytes(pickle.dumps(Quantizer(wide, wide_signature, wide_rows)))
    code = f"""
import logging, pickle
from export.recipes import recipe_named
pickle.load(open({str(saved)!r}, "rb")).quantize(recipe_named("int4"))
print(logging.root.handlers, logging.root.level)
"""
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[] 30", "")


def test_small_matrices_are_not_for_four_bits(convolution: bytes, signature: Signature, rows: Rows) -> None:
    with pytest.raises(ExportError, match="int4: no matrix has 65,536 numbers or more"):
        Quantizer(convolution, signature, rows).quantize(recipe_named("int4"))
