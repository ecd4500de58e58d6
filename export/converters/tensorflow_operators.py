"""TensorFlow's operators that tf2onnx does not know, spelt out in those of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class _Writer:
    """Nodes and constants in place of one node, which names are made from."""

    def __init__(self, node: Any, graph: Any) -> None:
        self.node = node
        self.nodes: list[Any] = []
        self._graph = graph

    def constant(self, value: Any, dtype: Any) -> str:
        """A constant's name."""
        from onnx import numpy_helper

        name = f"{self.node.output[0]}/constant_{len(self._graph.initializer)}"
        self._graph.initializer.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def add(self, operator: str, *inputs: str, last: bool = False, **attributes: Any) -> str:
        """The name of what a new node gives; that of the whole where it is the last."""
        from onnx import helper

        output = str(self.node.output[0]) if last else f"{self.node.output[0]}/part_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def attribute(self, name: str) -> Any:
        """The value of an attribute of the node."""
        from onnx import helper

        return next(helper.get_attribute_value(each) for each in self.node.attribute if each.name == name)


def _erfc(writer: _Writer) -> None:
    """1 - erf(x): TensorFlow computes gelu with it."""
    inner = writer.add("Erf", writer.node.input[0])
    writer.add("Sub", writer.constant(1, np.float32), inner, last=True)


def _expm1(writer: _Writer) -> None:
    inner = writer.add("Exp", writer.node.input[0])
    writer.add("Sub", inner, writer.constant(1, np.float32), last=True)


def _log1p(writer: _Writer) -> None:
    writer.add("Log", writer.add("Add", writer.node.input[0], writer.constant(1, np.float32)), last=True)


def _bucketize(writer: _Writer) -> None:
    """How many boundaries are at most x: Keras' `Discretization`."""
    from onnx import TensorProto

    value = writer.add("Cast", writer.node.input[0], to=TensorProto.FLOAT)
    wide = writer.add("Unsqueeze", value, writer.constant([-1], np.int64))
    above = writer.add("GreaterOrEqual", wide, writer.constant(writer.attribute("boundaries"), np.float32))
    ones = writer.add("Cast", above, to=TensorProto.INT32)
    writer.add("ReduceSum", ones, writer.constant([-1], np.int64), keepdims=0, last=True)


_SPELT: dict[str, Callable[[_Writer], None]] = {
    "Erfc": _erfc,
    "Expm1": _expm1,
    "Log1p": _log1p,
    "Bucketize": _bucketize,
}


def spell_out(graph: Any) -> None:
    """Replaces each such node of `graph`; those that stay unknown are the caller's to refuse."""
    nodes = []
    for node in graph.node:
        spell = _SPELT.get(node.op_type)
        if spell is None:
            nodes.append(node)
            continue
        writer = _Writer(node, graph)
        spell(writer)
        nodes += writer.nodes
    del graph.node[:]
    graph.node.extend(nodes)
