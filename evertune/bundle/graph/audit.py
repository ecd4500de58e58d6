"""What an ONNX graph in a bundle must not do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from evertune.bundle.canonical import damaged
from evertune.bundle.graph.facts import Facts, Function, Node, read_facts

_STANDARD = ("", "ai.onnx")
_DOMAINS = {*_STANDARD, "ai.onnx.ml", "com.microsoft"}  # what ONNX Runtime has without a library of somebody
# They load files, or run Python.
_FORBIDDEN = {"EPContext", "PythonOp", "PythonOpGrad", "ATen", "ExternalFunctionOp", "TvmOp"}
_MOST_NODES = 1_000_000  # functions expanded
_MOST_ELEMENTS = 1_000_000_000  # that one node makes out of constants
# Which input says how much a node makes, where that is a constant.
_SIZE_INPUT = {
    **dict.fromkeys(("Expand", "Tile", "OneHot", "Pad", "Range", "CenterCropPad"), 1),
    **dict.fromkeys(("ConstantOfShape", "Loop"), 0),
    **dict.fromkeys(("Resize", "Upsample"), 3),
}
_SIZE_ATTRIBUTE = {"RandomNormal", "RandomUniform", "ConstantFill"}


def audit_graph(data: bytes, name: str, external_bytes: Mapping[str, int]) -> None:
    """Reads the whole graph and refuses what an honest export never has.

    Args:
        data: The ONNX file.
        name: Of the file, for messages.
        external_bytes: Size of each checked file beside it that holds weights of it.

    Raises:
        BundleError: The bytes are no ONNX; an operator is of an unknown domain, may load files or run code; a tensor's
            data is not as large as its shape, or in a file that is not listed; a listed file is not used; functions
            call themselves; a node would make a giant tensor or loop for ever.
    """
    try:
        facts = read_facts(data)
    except (ValueError, RecursionError) as error:
        raise damaged(name, f"is not ONNX: {error}") from error
    for problem in _problems(facts, dict(external_bytes)):
        raise damaged(name, problem)


def _problems(facts: Facts, external_bytes: dict[str, int]) -> Iterator[str]:
    if facts.graphs == 0:
        yield "is not ONNX: it has no graph"
    for what in facts.forbidden:
        yield f"holds {what}, which a model that only answers does not need"
    own = {each.domain for each in facts.functions}
    if own & {*_DOMAINS}:
        yield f"defines functions in the domain {min(own & {*_DOMAINS})!r}, which is not its own"
    for node in (*facts.nodes, *(node for each in facts.functions for node in each.nodes)):
        if node.domain not in own | _DOMAINS or node.operator in _FORBIDDEN:
            yield f"has the operator {node.domain[:80]}:{node.operator[:80]} at node {node.name[:80]!r}, not allowed"
        if _made(node, facts.constants) > _MOST_ELEMENTS:
            yield f"has the node {node.name[:80]!r} ({node.operator}) of over {_MOST_ELEMENTS} elements or rounds"
    if _expanded(facts.nodes, facts.functions) > _MOST_NODES:
        yield f"has over {_MOST_NODES} nodes, or functions that call themselves"
    for tensor in facts.tensors:
        problem = tensor.problem(external_bytes)
        if problem:
            yield f"has the tensor {tensor.name[:80]!r}, which {problem}"
    unread = set(external_bytes) - {each.external.get("location") for each in facts.tensors}
    if unread:
        yield f"refers to no data in {min(unread)}, which manifest.json lists as external_data"


def _made(node: Node, constants: Mapping[str, list[list[int]]]) -> int:
    if node.domain not in _STANDARD:
        return 0
    if node.operator in _SIZE_ATTRIBUTE:
        return math.prod(map(abs, node.shape))
    index = _SIZE_INPUT.get(node.operator)
    if index is None or index >= len(node.inputs):
        return 0
    if node.operator == "Loop" and len(node.inputs) > 1 and node.inputs[1]:
        return (
            0  # a condition ends it; that one of the frameworks says "at most 2**63 rounds" is how they spell "while"
        )
    measure = sum if node.operator == "Pad" else math.prod
    return max((int(measure(map(abs, sizes))) for sizes in constants.get(node.inputs[index], [])), default=0)


def _expanded(nodes: list[Node], functions: list[Function]) -> int:
    """Number of nodes once every function is put in where it is named; infinite recursion counts as too many."""
    bodies = {(each.domain, each.name): each.nodes for each in functions}
    counts: dict[tuple[str, str], int] = {}

    def count(nodes: list[Node], depth: int) -> int:
        return sum(1 + called(node, depth) for node in nodes)

    def called(node: Node, depth: int) -> int:
        key = (node.domain, node.operator)
        if key not in bodies:
            return 0
        if depth > len(bodies) or depth > 200:
            return _MOST_NODES + 1
        if key not in counts:
            counts[key] = count(bodies[key], depth + 1)
        return counts[key]

    return count(nodes, 0)
