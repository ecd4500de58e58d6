"""An ONNX graph in figures."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any


def graph_facts(model_bytes: bytes) -> dict[str, Any]:
    """Operators with their counts, opsets, and parameters; subgraphs and functions are counted too.

    The file is parsed, nothing is loaded from beside it and nothing is run.
    """
    import onnx

    from export.graph import graphs

    model = onnx.load_model_from_string(model_bytes)
    operators: Counter[str] = Counter()
    parameters: Counter[str] = Counter()
    for graph in graphs(model.graph):
        operators.update(_name(node) for node in graph.node)
        for weight in graph.initializer:
            parameters[onnx.TensorProto.DataType.Name(weight.data_type).lower()] += math.prod(weight.dims)
    for function in model.functions:
        operators.update(_name(node) for node in function.node)
    return {
        "operators": dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        "opsets": {opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
        "ir_version": model.ir_version,
        "parameters": sum(parameters.values()),
        "parameters_by_dtype": dict(parameters),
    }


def _name(node: Any) -> str:
    """With its domain, unless that is ONNX's own."""
    return f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else str(node.op_type)
