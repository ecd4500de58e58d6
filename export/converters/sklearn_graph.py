"""The boundary of a scikit-learn graph: the task's inputs in, its one output out."""

from __future__ import annotations

from typing import Any

import numpy as np

from evertune.tensors import Array, Signature
from export.graph import BATCH

OPSET = 18  # of ONNX; skl2onnx leaves it out of a graph that needs `ai.onnx.ml` alone
_MATRIX = "X"  # the one input that skl2onnx was told of


def with_boundary(model: Any, output: str, places: Array | None, signature: Signature) -> Any:
    """Puts the making of the matrix before the graph and the order of classes behind it.

    Args:
        model: `onnx.ModelProto` with the input "X"; changed.
        output: Name of the value that is wanted; what only others need is left out.
        places: The class of each of its columns; None where it holds "no" and "yes" for each label in turn.
        signature: Of the task.
    """
    from onnx import helper

    graph = model.graph
    before, specs = _matrix_nodes(signature)
    nodes = [*before, *graph.node]
    initializers = list(graph.initializer)
    answer, constants = _answer_nodes(output, places, int(signature.outputs[0].shape[0] or 0))
    nodes += answer
    initializers += constants
    final = answer[-1].output[0] if answer else output
    nodes = _needed(nodes, final)
    used = {name for node in nodes for name in node.input}
    _replace(graph.node, nodes)
    _replace(graph.initializer, [item for item in initializers if item.name in used])
    _replace(graph.input, specs)
    _replace(graph.output, [_value(final, np.float32, signature.outputs[0].shape)])
    del graph.value_info[:]
    domains = {node.domain for node in nodes}
    kept = [each for each in model.opset_import if each.domain in domains and each.domain]
    _replace(model.opset_import, [helper.make_opsetid("", OPSET), *kept])
    return model


def _matrix_nodes(signature: Signature) -> tuple[list[Any], list[Any]]:
    """Each input flattened and cast; several side by side."""
    from onnx import TensorProto, helper

    nodes, parts = [], []
    for number, spec in enumerate(signature.inputs):
        flat = f"flat_{number}"
        nodes.append(helper.make_node("Flatten", [f"input_{number}"], [flat], axis=1))
        if spec.dtype != "float32":
            nodes.append(helper.make_node("Cast", [flat], [f"{flat}_cast"], to=TensorProto.FLOAT))
            flat = f"{flat}_cast"
        parts.append(flat)
    joined = helper.make_node("Concat", parts, [_MATRIX], axis=1)
    nodes.append(joined if len(parts) > 1 else helper.make_node("Identity", parts, [_MATRIX]))
    specs = [_value(f"input_{number}", spec.dtype, spec.shape) for number, spec in enumerate(signature.inputs)]
    return nodes, specs


def _answer_nodes(output: str, places: Array | None, columns: int) -> tuple[list[Any], list[Any]]:
    """A class that no training row had gets a column of zeros; a regressor's value is reshaped to one column."""
    from onnx import helper, numpy_helper

    if places is None:  # shape (labels, rows, 2)
        yes = numpy_helper.from_array(np.array(1, np.int64), "answer_yes")
        gathered = helper.make_node("Gather", [output, "answer_yes"], ["answer_labels"], axis=2)
        return [gathered, helper.make_node("Transpose", ["answer_labels"], ["answer"], perm=[1, 0])], [yes]
    if len(places) == columns and (places == np.arange(columns)).all():
        shape = numpy_helper.from_array(np.array([-1, columns], np.int64), "answer_shape")
        return [helper.make_node("Reshape", [output, "answer_shape"], ["answer"])], [shape]
    order = np.full(columns, len(places), np.int64)  # the padded column
    order[places] = np.arange(len(places))
    constants = [
        numpy_helper.from_array(np.array([0, 0, 0, 1], np.int64), "answer_pads"),
        numpy_helper.from_array(order, "answer_order"),
    ]
    padded = helper.make_node("Pad", [output, "answer_pads"], ["answer_padded"])
    return [padded, helper.make_node("Gather", ["answer_padded", "answer_order"], ["answer"], axis=1)], constants


def _needed(nodes: list[Any], output: str) -> list[Any]:
    """The nodes that `output` depends on, in order: class names are computed by the server, not by the graph."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input) | {name for body in _bodies(node) for name in _reads(body)}
    return kept[::-1]


def _bodies(node: Any) -> list[Any]:
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _reads(graph: Any) -> set[str]:
    inner = {name for node in graph.node for body in _bodies(node) for name in _reads(body)}
    return inner | {name for node in graph.node for name in node.input}


def _value(name: str, dtype: Any, shape: tuple[int | None, ...]) -> Any:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, [BATCH, *shape])


def _replace(field: Any, items: list[Any]) -> None:
    copies = [type(item).FromString(item.SerializeToString()) for item in items]
    del field[:]
    field.extend(copies)
