"""What an audit needs to know of an ONNX file, gathered before anything is judged; numbers are those of onnx.proto."""

from __future__ import annotations

from dataclasses import dataclass, field

from evertune.bundle.graph import wire
from evertune.bundle.graph.tensor import UNREAD, Tensor, read_tensor

_DEEPEST = 32  # subgraphs within subgraphs: ONNX Runtime recurses too


@dataclass
class Node:
    """One operator.

    Attributes:
        domain: "" and "ai.onnx" are the standard's.
        operator: Type of operator.
        name: Of the node; may be empty.
        inputs: Names of tensors; "" where an optional one is left out.
        shape: Values of an attribute `shape`.
        outputs: Names of tensors.
    """

    domain: str = ""
    operator: str = ""
    name: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    shape: list[int] = field(default_factory=list)


@dataclass
class Function:
    """A function of the model itself, which nodes may name as their operator."""

    domain: str = ""
    name: str = ""
    nodes: list[Node] = field(default_factory=list)


@dataclass
class Facts:
    """Of one ONNX file.

    Attributes:
        graphs: How many there are, subgraphs among them.
        nodes: Of the graph and its subgraphs.
        functions: With their nodes.
        tensors: Initializers, constants and tensors in attributes.
        constants: Values of small tensors of integers, by name: of all tensors of that name, since a graph inside
            another may use one again.
        forbidden: What makes no sense in a model that only answers.
    """

    graphs: int = 0
    nodes: list[Node] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    constants: dict[str, list[list[int]]] = field(default_factory=dict)
    forbidden: list[str] = field(default_factory=list)


def read_facts(data: bytes) -> Facts:
    """Reads a serialised ModelProto.

    Raises:
        ValueError: The bytes are no ONNX, or graphs are nested too deeply.
    """
    reader = _Reader(data)
    reader.model()
    return reader.facts


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.facts = Facts()

    def model(self) -> None:
        for each in wire.read_fields(self.data, 0, len(self.data)):
            if each.number == 7 and each.kind == wire.BYTES:
                self._graph(each, self.facts.nodes, 0)
            elif each.number == 25 and each.kind == wire.BYTES:
                self._function(each)
            elif each.number == 20:
                self.facts.forbidden.append("training information")

    def _graph(self, message: wire.Field, nodes: list[Node], depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError(f"graphs are nested over {_DEEPEST} deep")
        self.facts.graphs += 1
        for each in wire.read_fields(self.data, message.start, message.end):
            if each.kind == wire.BYTES:
                if each.number == 1:
                    self._node(each, nodes, depth)
                elif each.number == 5:
                    self._tensor(each)
                elif each.number == 15:
                    self.facts.forbidden.append("a sparse tensor")

    def _function(self, message: wire.Field) -> None:
        function = Function()
        for each in wire.read_fields(self.data, message.start, message.end):
            if each.kind == wire.BYTES:
                if each.number == 1:
                    function.name = self._text(each)
                elif each.number == 10:
                    function.domain = self._text(each)
                elif each.number == 7:
                    self._node(each, function.nodes, 0)
                elif each.number == 11:
                    self._attribute(each, Node(), function.nodes, 0)
        self.facts.functions.append(function)

    def _node(self, message: wire.Field, nodes: list[Node], depth: int) -> None:
        node, attributes = Node(), []
        nodes.append(node)
        for each in wire.read_fields(self.data, message.start, message.end):
            if each.kind != wire.BYTES:
                continue
            if each.number in (1, 2):
                (node.inputs if each.number == 1 else node.outputs).append(self._text(each))
            elif each.number == 3:
                node.name = self._text(each)
            elif each.number == 4:
                node.operator = self._text(each)
            elif each.number == 7:
                node.domain = self._text(each)
            elif each.number == 5:
                attributes.append(each)
        for each in attributes:  # fields come in any order; which constant one is depends on operator and outputs
            self._attribute(each, node, nodes, depth)

    def _attribute(self, message: wire.Field, node: Node, nodes: list[Node], depth: int) -> None:
        name, ints = "", []
        for each in wire.read_fields(self.data, message.start, message.end, runs=True):
            if each.number == 8 and each.kind == wire.RUN and each.end - each.start < 1000:
                ints += wire.run_of_ints(self.data, each)
            elif each.number in (3, 8) and each.kind == wire.VARINT:
                ints.append(wire.signed(each.value))
            if each.kind != wire.BYTES:
                continue
            if each.number == 1:
                name = self._text(each)
            elif each.number in (5, 10):
                self._tensor(each, node.outputs[0] if node.operator == "Constant" and node.outputs else "")
            elif each.number in (6, 11):
                self._graph(each, nodes, depth + 1)
            elif each.number == 8:  # packed
                ints += wire.varints(self.data, each.start, min(each.end, each.start + 1000))
            elif each.number in (22, 23):
                self.facts.forbidden.append("a sparse tensor")
        if name == "shape":
            node.shape = ints
        if node.operator == "Constant" and name in ("value_int", "value_ints") and node.outputs:
            self._constant(node.outputs[0], ints)

    def _tensor(self, message: wire.Field, name: str = "") -> None:
        tensor = read_tensor(self.data, message)
        self.facts.tensors.append(tensor)
        if tensor.ints:
            self._constant(name or tensor.name, tensor.ints)
        elif tensor.is_unread:
            self._constant(name or tensor.name, [UNREAD])

    def _constant(self, name: str, values: list[int]) -> None:
        self.facts.constants.setdefault(name, []).append(values)

    def _text(self, each: wire.Field) -> str:
        return self.data[each.start : each.end].decode("utf-8", "backslashreplace")
