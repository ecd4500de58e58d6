"""INT8 in several recipes, from graphs made by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.tensors import Signature, TensorSpec
from export.quantization import MOST_ROWS, Quantizer, strided
from export.recipes import RECIPES, Recipe
from export.verify import check_outputs, verify

SIGNATURE = Signature((TensorSpec("x", "float32", (1, 8, 8)),), (TensorSpec("probabilities", "float32", (3,)),))


@pytest.fixture
def convolution() -> bytes:
    """softmax(flatten(relu(conv(x))) @ w)."""
    random = np.random.default_rng(0)
    weights = {"k": (4, 1, 3, 3), "w": (144, 3)}
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        [*nodes],
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])],
        [
            numpy_helper.from_array((0.1 * random.standard_normal(shape)).astype(np.float32), name)
            for name, shape in weights.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def rows() -> Rows:
    images = np.random.default_rng(1).standard_normal((700, 1, 8, 8)).astype(np.float32)
    return Rows({"x": images}, np.zeros(700, np.int64))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_each_recipe_gives_a_sound_smaller_model_close_to_fp32(recipe: Recipe, convolution: bytes, rows: Rows) -> None:
    content = Quantizer(convolution, SIGNATURE, rows).quantize(recipe)
    inputs = {"x": rows.inputs["x"][:64]}
    outputs = verify(content, SIGNATURE).run(inputs)
    check_outputs(outputs, SIGNATURE, "classification")
    expected = verify(convolution, SIGNATURE).run(inputs)["probabilities"]
    assert 0 < np.abs(outputs["probabilities"] - expected).max() < 0.05
    kinds = {item.data_type for item in onnx.ModelProto.FromString(content).graph.initializer}
    assert TensorProto.INT8 in kinds


def test_the_same_model_and_rows_give_the_same_bytes(convolution: bytes, rows: Rows) -> None:
    twice = [Quantizer(convolution, SIGNATURE, rows) for _ in range(2)]
    for recipe in RECIPES:
        assert twice[0].quantize(recipe) == twice[1].quantize(recipe) == twice[0].quantize(recipe)


def test_no_path_of_the_machine_is_left(convolution: bytes, rows: Rows) -> None:
    for recipe in RECIPES:
        assert b"/tmp" not in Quantizer(convolution, SIGNATURE, rows).quantize(recipe)


def test_convolutions_are_only_touched_by_the_recipe_for_all_operators(convolution: bytes, rows: Rows) -> None:
    kept = {}
    for recipe in RECIPES:
        model = onnx.ModelProto.FromString(Quantizer(convolution, SIGNATURE, rows).quantize(recipe))
        kernels = [item for item in model.graph.initializer if list(item.dims) == [4, 1, 3, 3]]
        kept[recipe.name] = kernels[0].data_type == TensorProto.FLOAT
        assert "ConvInteger" not in {node.op_type for node in model.graph.node}
    assert kept == {"int8-dynamic": True, "int8-static-all": False, "int8-static-matmul": True}


def test_probabilities_do_not_come_in_steps(convolution: bytes, rows: Rows) -> None:
    content = Quantizer(convolution, SIGNATURE, rows).quantize(RECIPES[1])
    model = onnx.ModelProto.FromString(content)
    (last,) = (node for node in model.graph.node if "probabilities" in node.output)
    assert last.op_type == "Softmax"


def test_calibration_rows_are_few_and_evenly_spaced(convolution: bytes, rows: Rows) -> None:
    quantizer = Quantizer(convolution, SIGNATURE, rows)
    assert len(quantizer._samples["x"]) == MOST_ROWS == 512
    assert strided(700, 512)[[0, -1]].tolist() == [0, 699]
    assert np.diff(strided(100_000, 512)).min() >= 195
    few = Rows({"x": rows.inputs["x"][:3]}, rows.labels[:3])
    assert Quantizer(convolution, SIGNATURE, few).quantize(RECIPES[1]) != quantizer.quantize(RECIPES[1])


def graph_of(nodes: list[onnx.NodeProto], weights: dict[str, tuple[int, ...]], outputs: int) -> bytes:
    graph = helper.make_graph(
        nodes,
        "none",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", outputs])],
        [numpy_helper.from_array(np.full(shape, 0.1, np.float32), name) for name, shape in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    content: bytes = model.SerializeToString()
    return content


def test_a_model_without_arithmetic_is_a_finding(rows: Rows) -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Softmax", ["f"], ["probabilities"]),
    ]
    signature = Signature(SIGNATURE.inputs, (TensorSpec("probabilities", "float32", (64,)),))
    with pytest.raises(ExportError, match="neither a matrix product nor a convolution"):
        Quantizer(graph_of(nodes, {}, 64), signature, rows)


def test_a_recipe_that_finds_none_of_its_operators_is_a_finding(rows: Rows) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("Softmax", ["f"], ["probabilities"]),
    ]
    signature = Signature(SIGNATURE.inputs, (TensorSpec("probabilities", "float32", (36,)),))
    quantizer = Quantizer(graph_of(nodes, {"k": (1, 1, 3, 3)}, 36), signature, rows)
    assert quantizer.quantize(RECIPES[1])
    with pytest.raises(ExportError, match=f"{RECIPES[2].name}: the model has no operator to quantize"):
        quantizer.quantize(RECIPES[2])


def test_a_product_that_is_the_output_itself_stays_in_fp32(rows: Rows) -> None:
    weight = numpy_helper.from_array(np.ones((64, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["probabilities"])],
        "last",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    signature = Signature(SIGNATURE.inputs, (TensorSpec("probabilities", "float32", (3,)),))
    quantizer = Quantizer(model.SerializeToString(), signature, rows)
    for recipe in (RECIPES[0], RECIPES[2]):
        with pytest.raises(ExportError, match=f"{recipe.name}: the model has no operator to quantize"):
            quantizer.quantize(recipe)
