"""The last touch on an ONNX graph: stable names, nothing of the exporting machine, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evertune.errors import ExportError
from evertune.tensors import Signature
from export.external import DATA, OnnxFiles, move_out

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

_NONE: Mapping[str, Any] = MappingProxyType({})

BATCH = "batch"
"""Name of the dynamic first axis of every input and output."""


MOST_BYTES = 2**31 - 1
"""What protobuf writes into one message, and so one ONNX file."""
MOST_WEIGHTS_BYTES = 2_000_000_000
"""Of weights in a graph that is to fit into one file with all else that it has."""


def finish(model: ModelProto, signature: Signature, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Renames everything, strips texts and serialises.

    Exporters name values after Python variables, layers and counters that go on from model to model, and leave stack
    traces with the paths of the exporting machine in `metadata_props` and `doc_string`.

    Args:
        model: Changed in place.
        signature: Inputs and outputs get its names, in its order.
        most_bytes: Of the weights.

    Raises:
        ExportError: The graph has another number of inputs or outputs, or does not fit into one file.
    """
    _require_one_file(model, most_bytes)
    strip_texts(model)
    for graph in graphs(model.graph):
        _clear(graph, "value_info", "quantization_annotation")
    _rename(model, signature)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def finish_files(
    model: ModelProto, signature: Signature, *, most_bytes: int = MOST_WEIGHTS_BYTES, values: Mapping[str, Any] = _NONE
) -> OnnxFiles:
    """`finish`, with the weights beside the graph where there are too many for one file.

    Args:
        model: Changed in place.
        signature: As in `finish`.
        most_bytes: Of weights in the graph; with more, all of 1 kB or more lie beside it.
        values: Weights that are to lie beside the graph in any case, see `external.leave_out`.

    Raises:
        ExportError: As `finish`.
    """
    if not values and weights_bytes(model) <= most_bytes:
        return OnnxFiles(finish(model, signature))
    data = move_out(model, values)
    return OnnxFiles(finish(model, signature), {DATA: data} if data else {})


def weights_bytes(model: ModelProto) -> int:
    """Of what the graph and its subgraphs hold."""
    return sum(len(item.raw_data) for graph in graphs(model.graph) for item in graph.initializer)


def _require_one_file(model: ModelProto, most_bytes: int) -> None:
    """Before it is written: protobuf's own error names neither the size nor a way out."""
    size = weights_bytes(model)
    if size > most_bytes:
        raise ExportError(
            f"the model has {size:,} bytes of weights, one ONNX file holds {most_bytes:,}",
            fix="Make the model smaller, or take its weights out of loops and branches: only those outside them may "
            "lie beside the graph.",
            size_bytes=size,
        )


def strip_texts(model: ModelProto) -> None:
    """Removes documentation and metadata, in subgraphs and functions too."""
    _clear(model, "doc_string", "metadata_props")
    for function in model.functions:
        _clear(function, "doc_string", "metadata_props")
        for node in function.node:
            _clear(node, "doc_string", "metadata_props")
    for graph in graphs(model.graph):
        _clear(graph, "doc_string", "metadata_props")
        for item in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
            _clear(item, "doc_string", "metadata_props")
        for node in graph.node:
            for attribute in node.attribute:
                _clear(attribute, "doc_string")


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """`graph` and every subgraph in it (bodies of loops and branches)."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for subgraph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from graphs(subgraph)


def _clear(message: Any, *fields: str) -> None:
    for field in fields:
        if field in message.DESCRIPTOR.fields_by_name:
            message.ClearField(field)


def _rename(model: ModelProto, signature: Signature) -> None:
    graph = model.graph
    names = _boundary_names(graph, signature)
    for inner in graphs(graph):
        for item in inner.initializer:
            names.setdefault(item.name, f"w{len(names)}")
        for value in inner.input:
            names.setdefault(value.name, f"v{len(names)}")
        for node in inner.node:
            for output in node.output:
                if output:  # an empty name means that an optional output is not used
                    names.setdefault(output, f"v{len(names)}")
    graph.name = "model"
    for number, inner in enumerate(graphs(graph)):
        _apply(inner, names, f"g{number}_" if number else "")
    for spec, value in zip((*signature.inputs, *signature.outputs), (*graph.input, *graph.output), strict=True):
        _name_axes(spec.name, value)


def _boundary_names(graph: GraphProto, signature: Signature) -> dict[str, str]:
    weights = {item.name for item in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in weights]
    outputs = [value.name for value in graph.output]
    wanted = ([spec.name for spec in signature.inputs], [spec.name for spec in signature.outputs])
    if (len(inputs), len(outputs)) != (len(wanted[0]), len(wanted[1])) or set(inputs) & set(outputs):
        raise ExportError(
            f"the exported graph has inputs {inputs} and outputs {outputs}, the task declares {wanted}",
            fix="Declare in Task.inputs exactly what the model takes, and in Task.extra_outputs what else it gives.",
        )
    return dict(zip((*inputs, *outputs), (*wanted[0], *wanted[1]), strict=True))


def _apply(graph: GraphProto, names: dict[str, str], prefix: str) -> None:
    if prefix:
        graph.name = prefix.rstrip("_")
    for item in graph.initializer:
        item.name = names[item.name]
    for value in (*graph.input, *graph.output):
        value.name = names[value.name]
    for number, node in enumerate(graph.node):
        node.name = f"{prefix}{node.op_type}_{number}"
        node.input[:] = [names[name] if name else "" for name in node.input]
        node.output[:] = [names[name] if name else "" for name in node.output]


def _name_axes(name: str, value: ValueInfoProto) -> None:
    for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
        if not dimension.HasField("dim_value"):
            dimension.dim_param = BATCH if axis == 0 else f"{name}_{axis}"
