"""Is this file a valid model that does what the task declares? "No exception while exporting" proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from evertune.errors import BundleError, ExportError
from evertune.kinds import KINDS, kind_of
from evertune.runtime import Session
from evertune.tensors import Array, Signature, Tensors
from evertune.tensors import TensorSpec as Spec
from export.external import on_disk


def verify(
    model_bytes: bytes,
    signature: Signature,
    *,
    threads: int = 1,
    external_data: Mapping[str, bytes] = MappingProxyType({}),
) -> Session:
    """Checks the file and its graph against the declared signature and loads it.

    Three failures of exporters are silent and are found here: an invalid file written without an exception, weights
    that became extra inputs nobody feeds, and a batch axis fixed at the number of example rows.

    Args:
        model_bytes: ONNX file.
        signature: Inputs and outputs as the task declares them.
        threads: Of the session returned.
        external_data: Content of the files with weights that the model refers to, by name.

    Raises:
        ExportError: Names the first thing that is wrong.
    """
    import onnx

    try:
        model = onnx.ModelProto.FromString(model_bytes)
        _check(model, model_bytes, external_data)
    except Exception as error:  # protobuf's, the checker's and the inference's errors share no base class
        raise ExportError(
            f"the exported file is not valid ONNX: {_first_line(error)}",
            fix="Replace the layer that this operator came from, or update onnx and torch.",
        ) from error
    _check_boundary(model.graph, signature)
    try:
        return Session(model_bytes, signature, threads=threads, external_data=external_data)
    except BundleError as error:
        raise ExportError(
            f"the exported file does not load: {error.message}",
            fix="Replace the layer that this operator came from.",
        ) from error


def _check(model: Any, model_bytes: bytes, external_data: Mapping[str, bytes]) -> None:
    """By path where weights lie beside the graph: the checker looks there whether each file is large enough."""
    import onnx

    if not external_data:
        onnx.checker.check_model(model, full_check=True)
        return
    with on_disk(model_bytes, {name: len(content) for name, content in external_data.items()}) as path:
        onnx.checker.check_model(path, full_check=True)


def check_outputs(outputs: Tensors, signature: Signature, kind: str) -> None:
    """Checks that outputs are finite and what the kind of task calls for: probabilities, scores, or a value.

    Raises:
        ExportError: Another shape, NaN, or no probabilities; says which layer to add or change.
    """
    check_width(outputs[signature.outputs[0].name].shape, signature)
    for spec in signature.outputs:
        value = outputs[spec.name]
        if not np.isfinite(value).all():
            raise ExportError(
                f"the model gives NaN or infinity for {_bad_rows(value)} of {len(value)} rows",
                fix="Train with a smaller learning rate or clip gradients, and check the inputs for extreme values.",
                output=spec.name,
            )
    kind_of(kind).check_values(outputs[signature.outputs[0].name])


def check_width(shape: tuple[int, ...], signature: Signature) -> None:
    """Checks that an output of that shape has one row a row and as many columns as the task declares.

    Raises:
        ExportError: Another shape; names the layer to end the model with.
    """
    width = signature.outputs[0].shape[0]
    if len(shape) != 2 or shape[1] != width:
        raise ExportError(
            f"the model gives {list(shape[1:])} values a row, the task has {width} labels",
            fix=f"End the model with {_last_layer(signature.outputs[0])}, or correct Task.labels.",
            found=list(shape[1:]),
            expected=width,
        )


def _last_layer(output: Spec) -> str:
    """Of every kind with such an output."""
    width = int(output.shape[0] or 0)
    layers = [kind.last_layer(width) for kind in KINDS.values() if kind.outputs(("",))[0].name == output.name]
    return " or ".join(layers) or f"{width} units"


def _bad_rows(value: Array) -> int:
    return int((~np.isfinite(value)).reshape(len(value), -1).any(axis=1).sum())


def _check_boundary(graph: Any, signature: Signature) -> None:
    weights = {item.name for item in graph.initializer}
    inputs = [_spec(value) for value in graph.input if value.name not in weights]
    outputs = [_spec(value) for value in graph.output]
    for kind, found, declared in (("inputs", inputs, signature.inputs), ("outputs", outputs, signature.outputs)):
        wanted = [(spec.name, np.dtype(spec.dtype).name, (None, *spec.shape)) for spec in declared]
        if found != wanted:
            raise ExportError(
                f"the exported graph's {kind} are {_show(found)}, the task declares {_show(wanted)}",
                fix=_advice(kind, found, declared),
                found=_show(found),
                declared=_show(wanted),
            )


def _spec(value: Any) -> tuple[str, str, tuple[int | None, ...]]:
    from onnx.helper import tensor_dtype_to_np_dtype

    tensor = value.type.tensor_type
    shape = tuple(size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim)
    return value.name, tensor_dtype_to_np_dtype(tensor.elem_type).name, shape


def _advice(kind: str, found: list[tuple[str, str, tuple[int | None, ...]]], declared: tuple[Spec, ...]) -> str:
    if len(found) > len(declared):
        return "Weights became inputs that nobody feeds: replace the layer that holds them, or export on torch."
    if any(shape and shape[0] is not None for _, _, shape in found):
        return "The number of rows is fixed: use -1 or keras.ops.shape(x)[0] for the batch axis in your layers."
    if kind == "outputs":
        return f"End the model with {_last_layer(declared[0])}."
    return "Make Task.inputs and the model's inputs agree in order, dtype and shape."


def _show(specs: list[tuple[str, str, tuple[int | None, ...]]]) -> str:
    return ", ".join(
        f"{name}: {dtype}[{', '.join('any' if size is None else str(size) for size in shape)}]"
        for name, dtype, shape in specs
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
