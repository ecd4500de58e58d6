"""Open Inference Protocol V2, JSON form: https://kserve.github.io/website/docs/concepts/architecture/data-plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evertune.errors import InputError
from evertune.ids import row_id
from evertune.tensors import Signature, Tensors
from serve.decode import decode
from serve.live import Live
from serve.reply import Reply
from serve.ticket import Outcome

_DATATYPES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64", "int8": "INT8",
    "int16": "INT16", "int32": "INT32", "int64": "INT64", "float16": "FP16", "float32": "FP32", "float64": "FP64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A decoded and checked request.

    Attributes:
        inputs: Named arrays.
        rows: Their number.
        client_id: The `id` that the client chose, or None.
        outputs: Names of the outputs that it wants; None: all.
    """

    inputs: Tensors
    rows: int
    client_id: str | None
    outputs: list[str] | None


def datatype(dtype: str) -> str:
    """The protocol's name of a numpy dtype.

    Example:
        >>> datatype("float32")
        'FP32'
    """
    return _DATATYPES[dtype]


def read_request(document: dict[str, Any], signature: Signature) -> InferRequest:
    """Checks an infer request before it is queued.

    Raises:
        InputError: Names the tensor or the field, what it is and what it should be.
    """
    tensors = document.get("inputs")
    if not isinstance(tensors, list) or not tensors or not all(isinstance(tensor, dict) for tensor in tensors):
        raise InputError("the body has no list 'inputs'", fix='Send {"inputs": [{"name", "shape", "datatype", "data"}]}.')
    dtypes = {spec.name: spec.dtype for spec in signature.inputs}
    inputs: Tensors = {}
    for tensor in tensors:
        name = tensor.get("name")
        if name in inputs:
            raise InputError(f"tensor {name!r} comes twice", fix="Send each input once.", name=name)
        inputs[str(name)] = _read_tensor(tensor, dtypes)
    client_id = document.get("id")
    if client_id is not None and not isinstance(client_id, str):
        raise InputError("the field 'id' is not a string", fix="Send a string or leave it out.")
    return InferRequest(inputs, signature.check_inputs(inputs), client_id, _read_outputs(document, signature))


def _read_tensor(tensor: dict[str, Any], dtypes: dict[str, str]) -> Any:
    name, shape, data = tensor.get("name"), tensor.get("shape"), tensor.get("data")
    dtype = dtypes.get(name) if isinstance(name, str) else None
    if dtype is None:
        raise InputError(f"unknown tensor {str(name)[:80]!r}", fix=f"Send exactly {sorted(dtypes)}.", name=str(name)[:80])
    if tensor.get("datatype") != _DATATYPES[dtype]:
        raise InputError(
            f"tensor {name!r} has datatype {str(tensor.get('datatype'))[:20]!r}, expected {_DATATYPES[dtype]!r}",
            fix=f"Send {dtype} values as {_DATATYPES[dtype]}.",
            name=name,
        )
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise InputError(f"tensor {name!r} has no 'shape' of whole numbers", fix="Send [rows, ...].", name=name)
    if data is None and "binary_data_size" in (tensor.get("parameters") or {}):
        raise InputError("binary tensors are not supported", fix="Send the data as a JSON list.", name=name)
    values = decode(data, dtype, str(name))
    try:
        return values.reshape(shape)
    except ValueError:
        raise InputError(
            f"tensor {name!r} has {values.size} values, which do not fill its shape {shape}",
            fix="Send as many values as the product of the shape.",
            name=name,
        ) from None


def _read_outputs(document: dict[str, Any], signature: Signature) -> list[str] | None:
    wanted = document.get("outputs")
    if not wanted:
        return None
    known = [spec.name for spec in signature.outputs]
    names = [output.get("name") if isinstance(output, dict) else None for output in wanted if True] if isinstance(
        wanted, list
    ) else [None]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"unknown outputs {unknown}", fix=f"Ask for some of {known}, or leave 'outputs' out.")
    return [str(name) for name in names]


def write_response(live: Live, request: InferRequest, outcome: Outcome) -> Reply:
    """The answer, with our row ids among its parameters."""
    names = request.outputs or list(outcome.outputs)
    return Reply.json(
        {
            "model_name": live.model,
            "model_version": live.version,
            "id": request.client_id or outcome.request_id,
            "parameters": {
                "digest": live.digest,
                "request_id": outcome.request_id,
                "prediction_ids": [row_id(outcome.request_id, row) for row in range(request.rows)],
            },
            "outputs": [
                {
                    "name": name,
                    "datatype": _DATATYPES[value.dtype.name],
                    "shape": value.shape,
                    "data": value.ravel(),
                }
                for name, value in ((name, outcome.outputs[name]) for name in names)
            ],
        }
    )


def metadata(live: Live) -> dict[str, Any]:
    """The model's metadata response."""

    def tensor(spec: Any) -> dict[str, Any]:
        shape = [-1, *(-1 if size is None else size for size in spec.shape)]
        return {"name": spec.name, "datatype": _DATATYPES[spec.dtype], "shape": shape}

    return {
        "name": live.model,
        "versions": [live.version],
        "platform": "onnx_onnxruntime",
        "inputs": [tensor(spec) for spec in live.signature.inputs],
        "outputs": [tensor(spec) for spec in live.signature.outputs],
        "parameters": {
            "digest": live.digest,
            "labels": live.labels,
            "recipe": live.bundle.manifest.recipe,
        },
    }
