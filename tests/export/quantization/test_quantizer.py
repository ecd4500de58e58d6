"""Every recipe on graphs made by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.tensors import Signature, TensorSpec
from export.quantization import MOST_ROWS, Quantizer, strided
from export.recipes import RECIPES, Recipe, recipe_named
from export.verify import check_outputs, verify

Maker = Callable[..., bytes]

INTEGERS = [recipe for recipe in RECIPES if recipe.method in ("dynamic", "static")]
STATIC, DYNAMIC, PRODUCTS = map(recipe_named, ("int8-static-all", "int8-dynamic", "int8-static-matmul"))
SMALL = {TensorProto.INT8, TensorProto.UINT8}


@pytest.mark.parametrize("recipe", INTEGERS, ids=lambda recipe: recipe.name)
def test_each_recipe_gives_a_sound_smaller_model_close_to_fp32(
    recipe: Recipe, convolution: bytes, signature: Signature, rows: Rows
) -> None:
    content = Quantizer(convolution, signature, rows).quantize(recipe)
    inputs = {"x": rows.inputs["x"][:64]}
    outputs = verify(content, signature).run(inputs)
    check_outputs(outputs, signature, "classification")
    expected = verify(convolution, signature).run(inputs)["probabilities"]
    assert 0 < np.abs(outputs["probabilities"] - expected).max() < 0.05
    wanted = TensorProto.INT8 if recipe.weights_signed else TensorProto.UINT8
    weights = [item for item in onnx.ModelProto.FromString(content).graph.initializer if len(item.dims) > 1]
    assert wanted in {item.data_type for item in weights}


def test_the_same_model_and_rows_give_the_same_bytes(convolution: bytes, signature: Signature, rows: Rows) -> None:
    twice = [Quantizer(convolution, signature, rows) for _ in range(2)]
    for recipe in INTEGERS:
        assert twice[0].quantize(recipe) == twice[1].quantize(recipe) == twice[0].quantize(recipe)


def test_no_path_of_the_machine_is_left(convolution: bytes, signature: Signature, rows: Rows) -> None:
    quantizer = Quantizer(convolution, signature, rows)
    for recipe in INTEGERS:
        assert b"/tmp" not in quantizer.quantize(recipe)


def test_a_recipe_touches_its_operators_only(convolution: bytes, signature: Signature, rows: Rows) -> None:
    quantizer, kept = Quantizer(convolution, signature, rows), {}
    for recipe in (DYNAMIC, STATIC, PRODUCTS, recipe_named("int8-static-conv")):
        model = onnx.ModelProto.FromString(quantizer.quantize(recipe))
        types = {tuple(item.dims): item.data_type for item in model.graph.initializer}
        kept[recipe.name] = types[4, 1, 3, 3] == TensorProto.FLOAT, types[144, 3] == TensorProto.FLOAT
        assert "ConvInteger" not in {node.op_type for node in model.graph.node}
    assert kept == {
        "int8-dynamic": (True, False),
        "int8-static-all": (False, False),
        "int8-static-matmul": (True, False),
        "int8-static-conv": (False, True),
    }


def test_the_words_of_a_recipe_are_what_the_file_holds(convolution: bytes, signature: Signature, rows: Rows) -> None:
    quantizer = Quantizer(convolution, signature, rows)

    def of(name: str) -> onnx.GraphProto:
        model: onnx.ModelProto = onnx.ModelProto.FromString(quantizer.quantize(recipe_named(name)))
        return model.graph

    def zero_points(graph: onnx.GraphProto) -> set[int]:
        names = {node.input[2] for node in graph.node if node.op_type == "QuantizeLinear"}
        return {item.data_type for item in graph.initializer if item.name in names}

    assert zero_points(of("int8-static-all")) == {TensorProto.INT8}
    assert zero_points(of("int8-static-all-u8s8")) == {TensorProto.UINT8}
    assert (4,) in {tuple(item.dims) for item in of("int8-static-all").initializer}  # a scale for each filter
    assert (4,) not in {tuple(item.dims) for item in of("int8-static-all-tensor").initializer}
    kinds = {node.op_type for node in of("int8-static-all-u8s8-qoperator").node}
    assert "QLinearConv" in kinds
    assert "Conv" not in kinds
    files = [quantizer.quantize(recipe_named(f"int8-static-all{how}")) for how in ("", "-entropy", "-percentile")]
    assert len(set(files)) == 3


def test_probabilities_do_not_come_in_steps(convolution: bytes, signature: Signature, rows: Rows) -> None:
    model = onnx.ModelProto.FromString(Quantizer(convolution, signature, rows).quantize(STATIC))
    (last,) = (node for node in model.graph.node if "probabilities" in node.output)
    assert last.op_type == "Softmax"


def test_calibration_rows_are_few_and_evenly_spaced(convolution: bytes, signature: Signature, rows: Rows) -> None:
    quantizer = Quantizer(convolution, signature, rows)
    assert len(quantizer.samples["x"]) == MOST_ROWS == 512
    assert strided(700, 512)[[0, -1]].tolist() == [0, 699]
    assert np.diff(strided(100_000, 512)).min() >= 195
    few = Rows({"x": rows.inputs["x"][:3]}, rows.labels[:3])
    assert Quantizer(convolution, signature, few).quantize(STATIC) != quantizer.quantize(STATIC)


def test_nodes_that_are_kept_stay_in_fp32(convolution: bytes, signature: Signature, rows: Rows) -> None:
    quantizer = Quantizer(convolution, signature, rows)
    (product,) = (name for name in quantizer.nodes(STATIC) if name.startswith("MatMul"))
    model = onnx.ModelProto.FromString(quantizer.quantize(STATIC, keep=(product,)))
    types = {tuple(item.dims): item.data_type for item in model.graph.initializer}
    assert types[144, 3] == TensorProto.FLOAT
    assert types[4, 1, 3, 3] == TensorProto.INT8


def test_a_model_without_arithmetic_is_a_finding(make: Maker, signature: Signature, rows: Rows) -> None:
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("Softmax", ["f"], ["probabilities"])]
    flat = Signature(signature.inputs, (TensorSpec("probabilities", "float32", (64,)),))
    with pytest.raises(ExportError, match="neither a matrix product nor a convolution"):
        Quantizer(make(nodes, {}, flat), flat, rows)


def test_a_recipe_that_finds_none_of_its_operators_is_a_finding(make: Maker, signature: Signature, rows: Rows) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("Softmax", ["f"], ["probabilities"]),
    ]
    flat = Signature(signature.inputs, (TensorSpec("probabilities", "float32", (36,)),))
    quantizer = Quantizer(make(nodes, {"k": np.full((1, 1, 3, 3), 0.1)}, flat), flat, rows)
    assert quantizer.quantize(STATIC)
    for name in ("int8-static-matmul", "int8-dynamic", "int8-weights", "int4"):
        with pytest.raises(ExportError, match=f"{name}: "):
            quantizer.quantize(recipe_named(name))


def test_a_product_that_is_the_output_itself_is_only_quantized_where_its_values_have_no_steps(
    make: Maker, signature: Signature, rows: Rows
) -> None:
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["probabilities"])]
    weights = {"w": np.random.default_rng(0).standard_normal((64, 3))}
    quantizer = Quantizer(make(nodes, weights, signature), signature, rows)
    with pytest.raises(ExportError, match=f"{PRODUCTS.name}: the model has no operator to quantize"):
        quantizer.quantize(PRODUCTS)
    found = verify(quantizer.quantize(DYNAMIC), signature).run(rows.inputs)["probabilities"]
    assert np.unique(found).size > 0.99 * found.size  # of 2,100; steps would give 256 at most


def test_nothing_is_printed_logged_or_left_in_the_current_folder(
    wide: bytes,
    wide_signature: Signature,
    wide_rows: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = list(logging.root.handlers), logging.root.level
    quantizer = Quantizer(wide, wide_signature, wide_rows)
    for recipe in RECIPES:
        quantizer.quantize(recipe)
    assert (list(logging.root.handlers), logging.root.level) == before
    assert capfd.readouterr() == ("", "")
    assert caplog.messages == []
    assert list(tmp_path.iterdir()) == []


def test_an_operator_that_symbolic_shape_inference_does_not_know_leaves_no_file_either(
    signature: Signature, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There `quant_pre_process` writes sym_shape_infer_temp.onnx into the current folder and fails.
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Scaler", ["f"], ["g"], domain="ai.onnx.ml", offset=[0.0], scale=[2.0]),
        helper.make_node("MatMul", ["g", "w"], ["p"]),
        helper.make_node("Relu", ["p"], ["r"]),
        helper.make_node("Softmax", ["r"], ["probabilities"]),
    ]
    ends = [
        [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, ["batch", *spec.shape])]
        for spec in (*signature.inputs, *signature.outputs)
    ]
    graph = helper.make_graph(
        nodes, "m", ends[0], ends[1], [numpy_helper.from_array(np.ones((64, 3), np.float32), "w")]
    )
    domains = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    monkeypatch.chdir(tmp_path)
    quantizer = Quantizer(
        helper.make_model(graph, opset_imports=domains, ir_version=10).SerializeToString(), signature, rows
    )
    for recipe in (DYNAMIC, STATIC):  # values after that operator have types all the same
        assert verify(quantizer.quantize(recipe), signature).run({"x": rows.inputs["x"][:2]})
    assert list(tmp_path.iterdir()) == []
