"""Constant folding and fusions that hold on any processor."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evertune.tensors import Signature
from export.external import is_external
from export.graph import finish, graphs
from export.quantization.quiet import quiet_runtime

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

_FUSED = {"MatMul", "Gemm", "Conv", "ConvTranspose"}


def optimise(model_bytes: bytes, signature: Signature) -> bytes:
    """The same model with constants folded and operators fused, or unchanged where there is nothing to fuse.

    Weights beside the graph are not folded either: they would have to go through one message.

    Args:
        model_bytes: As `export.graph.finish` left it.
        signature: Of the model.

    Returns:
        ONNX bytes; the same in every process.
    """
    if is_external(_parsed(model_bytes)) or not operators(model_bytes) & _FUSED:
        return model_bytes
    try:
        return finish(fold(model_bytes), signature)
    except Exception:  # whatever ONNX Runtime raises: a model that it does not fold may still be served
        return model_bytes


def fold(model_bytes: bytes) -> ModelProto:
    """ONNX Runtime's basic level.

    It folds constants, drops what does nothing, and fuses convolutions with BatchNormalization, products with their
    bias, and the parts of Gelu and LayerNormalization. Higher levels write operators and layouts of the processor at
    hand, which another one may not have.

    Raises:
        Exception: Whatever ONNX Runtime raises.
    """
    import onnx
    import onnxruntime

    model = onnx.ModelProto.FromString(model_bytes)
    _subtractions_to_additions(model.graph)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "folded.onnx"
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(target)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.log_severity_level = 3
        with quiet_runtime():
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        folded = onnx.load(target)
    _flat_biases(folded.graph)
    _drop_unused_domains(folded)
    return folded


def operators(model_bytes: bytes) -> set[str]:
    """Kinds of operators in the graph and its subgraphs."""
    return {node.op_type for graph in graphs(_parsed(model_bytes).graph) for node in graph.node}


def _parsed(model_bytes: bytes) -> ModelProto:
    import onnx

    model: ModelProto = onnx.ModelProto.FromString(model_bytes)
    return model


def _subtractions_to_additions(graph: GraphProto) -> None:
    """Adds -c in place of subtracting c, as Keras' BatchNormalization does: only additions fuse into a convolution."""
    from onnx import TensorProto, numpy_helper

    floats = {item.name: item for item in graph.initializer if item.data_type == TensorProto.FLOAT}
    for node in graph.node:
        if node.op_type == "Sub" and node.input[1] in floats:
            negative = f"{node.input[1]}_negative"
            if negative not in floats:
                value = np.negative(numpy_helper.to_array(floats[node.input[1]]))
                floats[negative] = numpy_helper.from_array(value, negative)
                graph.initializer.append(floats[negative])
            node.op_type, node.input[1] = "Add", negative


def _flat_biases(graph: GraphProto) -> None:
    """Takes a first axis of one off the biases of products, on which quantizing per channel fails."""
    readers = Counter(name for inner in graphs(graph) for node in inner.node for name in node.input)
    wide = {item.name: item for item in graph.initializer if len(item.dims) == 2 and item.dims[0] == 1}
    for node in graph.node:
        if node.op_type == "Gemm" and len(node.input) > 2 and node.input[2] in wide and readers[node.input[2]] == 1:
            del wide[node.input[2]].dims[0]


def _drop_unused_domains(model: ModelProto) -> None:
    """ONNX Runtime declares every domain that it knows."""
    used = {"", *(node.domain for graph in graphs(model.graph) for node in graph.node)}
    kept = [each for each in model.opset_import if each.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
