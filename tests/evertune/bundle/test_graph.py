"""The audit of a graph: honest ones pass, hostile ones are refused before ONNX Runtime sees them."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from evertune.bundle.graph import audit_graph
from evertune.bundle.graph.tensor import _BITS
from evertune.errors import BundleError

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 2])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)


def model(*nodes: NodeProto, tensors: tuple[TensorProto, ...] = (), **more: Any) -> ModelProto:
    graph = helper.make_graph(list(nodes) or [helper.make_node("Relu", ["x"], ["y"])], "g", [X], [Y], list(tensors))
    return helper.make_model(graph, **more)


def ints(name: str, *values: int) -> TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def audit(made: ModelProto | bytes) -> None:
    audit_graph(made if isinstance(made, bytes) else made.SerializeToString(), "model.onnx", {})


@pytest.mark.parametrize("number", sorted(set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED}))
def test_the_size_of_a_tensor_of_every_type_is_known(number: int) -> None:
    """By the package onnx itself: what it makes passes, raw and typed, and with one element more it does not."""
    values: list[Any] = [b"a"] * 5 if number == TensorProto.STRING else [1] * 5
    for raw in (False, True):
        if raw and number == TensorProto.STRING:
            continue
        if raw:
            dtype = helper.tensor_dtype_to_np_dtype(number)
            tensor = numpy_helper.from_array(np.ones(5, dtype), "t")
            assert tensor.data_type == number
        else:
            tensor = helper.make_tensor("t", number, [5], values)
        audit(model(tensors=(tensor,)))
        tensor.dims[0] = 9  # small integers share bytes: 6 might fit
        with pytest.raises(BundleError, match=r"tensor 't', which has \d+ (bytes|values)"):
            audit(model(tensors=(tensor,)))
    assert number in _BITS or number == TensorProto.STRING


def loop(*inputs: str) -> NodeProto:
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    value = helper.make_tensor_value_info("v", TensorProto.FLOAT, None)
    out = [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["v"], ["w"])]
    counter = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    made_c = helper.make_tensor_value_info("d", TensorProto.BOOL, [])
    made_v = helper.make_tensor_value_info("w", TensorProto.FLOAT, None)
    body = helper.make_graph(out, "body", [counter, condition, value], [made_c, made_v])
    return helper.make_node("Loop", [*inputs, "x"], ["y"], body=body)


def nested(depth: int) -> NodeProto:
    graph = GraphProto()
    for _ in range(depth):
        outer = GraphProto()
        node = outer.node.add(op_type="If")
        node.attribute.append(AttributeProto(name="then_branch", type=AttributeProto.GRAPH, g=graph))
        graph = outer
    first: NodeProto = graph.node[0]
    return first


def field(number: int, content: bytes, tag_end: bytes = b"") -> bytes:
    """A field by hand, its tag spelt with more bytes than it needs where `tag_end` is given."""
    length, digits = len(content), b""
    while length > 127:
        digits, length = digits + bytes([length & 127 | 128]), length >> 7
    tag = number << 3 | 2
    return bytes([tag | 128 if tag_end else tag]) + tag_end + digits + bytes([length]) + content


def attribute_first(node: NodeProto) -> bytes:
    """A graph with one node whose attributes stand before all else of it."""
    attributes = NodeProto(attribute=node.attribute).SerializeToString()
    node.ClearField("attribute")
    return field(7, field(1, attributes + node.SerializeToString()))


def deep(depth: int) -> bytes:
    """A model by hand, deeper than the package onnx can make one: graph, node, attribute, graph, node, attribute ..."""
    content = b""
    for _ in range(depth):
        content = field(1, field(5, field(6, content)))
    return field(7, content)


def with_function(calls: str, domain: str = "own") -> ModelProto:
    opset = helper.make_opsetid("", 17)
    body = [helper.make_node(calls, ["a"], ["b"], domain=domain if calls == "Twice" else "")]
    function = helper.make_function(domain, "Twice", ["a"], ["b"], body, [opset])
    call = helper.make_node("Twice", ["x"], ["y"], domain=domain)
    return model(call, functions=[function], opset_imports=[opset, helper.make_opsetid(domain, 1)])


def sparse() -> ModelProto:
    made = model()
    values, indices = numpy_helper.from_array(np.ones(1, np.float32), "s"), ints("i", 0)
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [1 << 40]))
    return made


HONEST = {
    "plain": model(),
    "a function": with_function("Relu"),
    "a loop with an end": model(loop("n", ""), tensors=(ints("n", 10),)),
    "a loop until a condition": model(loop("n", "go"), tensors=(ints("n", (1 << 63) - 1),)),
    "quantization": model(helper.make_node("QLinearAdd", ["x"], ["y"], domain="com.microsoft")),
    "learned trees": model(helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", f=[1.0] * 999)),
    "nested graphs": model(nested(20)),
}
GIANT: dict[str, Any] = {"value": ints("", 1 << 40), "value_ints": [1 << 40], "value_int": 1 << 40}
HOSTILE: dict[str, tuple[ModelProto | bytes, str]] = {
    "a library's operator": (model(helper.make_node("Run", ["x"], ["y"], domain="evil")), "operator evil:Run"),
    "a file's operator": (
        model(helper.make_node("EPContext", [], ["y"], domain="com.microsoft", ep_cache_context="/etc/passwd")),
        "com.microsoft:EPContext",
    ),
    "Python": (model(helper.make_node("PythonOp", ["x"], ["y"], domain="com.microsoft")), "PythonOp"),
    "a giant constant": (
        model(helper.make_node("ConstantOfShape", ["n"], ["y"]), tensors=(ints("n", 1 << 20, 1 << 20),)),
        "over 1000000000 elements",
    ),
    "a giant constant of 65 axes": (
        model(helper.make_node("ConstantOfShape", ["n"], ["y"]), tensors=(ints("n", *[1] * 64, 1 << 40),)),
        "over 1000000000 elements",
    ),
    "a giant constant beside a small one of its name": (
        model(
            helper.make_node("Constant", [], ["n"], value_ints=[1]),
            helper.make_node("ConstantOfShape", ["n"], ["y"]),
            tensors=(ints("n", 1 << 40),),
        ),
        "over 1000000000 elements",
    ),
    "a giant constant, in a node": (
        model(
            helper.make_node("Constant", [], ["n"], value_ints=[1 << 40]), helper.make_node("Tile", ["x", "n"], ["y"])
        ),
        "over 1000000000 elements",
    ),
    **{
        f"a giant constant, {name} before the operator": (
            model(helper.make_node("ConstantOfShape", ["n"], ["y"])).SerializeToString()
            + attribute_first(helper.make_node("Constant", [], ["n"], **{name: value})),
            "over 1000000000 elements",
        )
        for name, value in GIANT.items()
    },
    "giant noise, its shape in long tags": (
        model().SerializeToString()
        + field(
            7,
            field(1, b"\x22\x0cRandomNormal" + field(5, b"\x0a\x05shape" + (b"\xc0\x00" + b"\xff" * 4 + b"\x0f") * 2)),
        ),
        "RandomNormal",
    ),
    "a field that only 32 bits of a tag name": (
        model().SerializeToString() + field(7, field(1, b"\x22\x03Run\x3a\x04evil"), tag_end=b"\x80\x80\x80\x10"),
        "over 32 bits",
    ),
    "giant noise": (model(helper.make_node("RandomNormal", [], ["y"], shape=[1 << 20, 1 << 20])), "RandomNormal"),
    "a loop for ever": (model(loop("n", ""), tensors=(ints("n", (1 << 63) - 1),)), "Loop"),
    "too many graphs in graphs": (deep(60), "nested over 32 deep"),
    "graphs in graphs without end": (deep(100_000), "nested over 32 deep"),
    "a function that calls itself": (with_function("Twice"), "call themselves"),
    "a standard operator of its own": (with_function("Relu", "ai.onnx"), "defines functions in the domain 'ai.onnx'"),
    "a sparse tensor": (sparse(), "holds a sparse tensor"),
    "an axis below zero": (model(tensors=(TensorProto(name="t", data_type=1, dims=[-1]),)), "shape \\[-1\\]"),
    "a giant tensor": (model(tensors=(TensorProto(name="t", data_type=1, dims=[1 << 62] * 4),)), "the shape"),
    "no data": (model(tensors=(TensorProto(name="t", data_type=1, dims=[3]),)), "has 0 values"),
    "an unknown type": (model(tensors=(TensorProto(name="t", data_type=99, dims=[0]),)), "unknown data type 99"),
    "no graph": (ModelProto(ir_version=9), "no graph"),
}


@pytest.mark.parametrize("case", HONEST)
def test_an_honest_graph_passes(case: str) -> None:
    audit(HONEST[case])


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_graph_is_refused_with_the_cause(case: str) -> None:
    made, message = HOSTILE[case]
    with pytest.raises(BundleError, match=f"model.onnx .*({message})") as raised:
        audit(made)
    assert raised.value.details["file"] == "model.onnx"


def test_functions_that_would_expand_without_end_are_refused_quickly() -> None:
    """Each of forty calls the next one twice: 2**40 nodes."""
    opset = helper.make_opsetid("", 17)
    functions = []
    for index in range(40):
        calls = [helper.make_node(f"f{index + 1}", ["a"], ["b"], domain="own") for _ in range(2)]
        functions.append(helper.make_function("own", f"f{index}", ["a"], ["b"], calls, [opset]))
    with pytest.raises(BundleError, match="over 1000000 nodes"):
        audit(model(helper.make_node("f0", ["x"], ["y"], domain="own"), functions=functions))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_bytes_that_are_no_model_are_refused_and_nothing_else_is_raised(data: st.DataObject) -> None:
    content = bytearray(HONEST["a loop with an end"].SerializeToString())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    with contextlib.suppress(BundleError):  # whatever else it raises fails the test
        audit_graph(bytes(content), "model.onnx", {})
