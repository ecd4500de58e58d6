"""The Open Inference Protocol with binary tensors, from the client's side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import orjson

from evertune.binary import from_binary, to_binary
from evertune.client.errors import MALFORMED, not_understood
from evertune.datatypes import DATATYPES, STRINGS
from evertune.errors import InputError
from evertune.tensors import Array, Tensors

LENGTH = "Inference-Header-Content-Length"
_DTYPES = {datatype: dtype for dtype, datatype in DATATYPES.items()}


@dataclass(frozen=True, eq=False)
class Inference:
    """The raw outputs of a model for one request.

    Attributes:
        outputs: Named arrays, first axis rows; read-only.
        ids: One a row; labels refer to them.
        model: Name.
        digest: Of the bundle that answered.
    """

    outputs: Tensors
    ids: tuple[str, ...]
    model: str
    digest: str


def infer_body(inputs: Mapping[str, Array], outputs: Sequence[str] | None, request_id: str) -> tuple[bytes, int]:
    """The body, and the length of the JSON at its beginning.

    Args:
        inputs: Named arrays, first axis rows.
        outputs: Names of those that are wanted; None: all.
        request_id: Comes back as `id`.

    Raises:
        InputError: A dtype that the protocol does not have.
    """
    tensors = {name: _sendable(name, np.asarray(value)) for name, value in inputs.items()}
    raw = {name: to_binary(value) for name, value in tensors.items()}
    document: dict[str, Any] = {
        "id": request_id,
        "inputs": [
            {
                "name": name,
                "shape": value.shape,
                "datatype": DATATYPES[value.dtype.name],
                "parameters": {"binary_data_size": len(raw[name])},
            }
            for name, value in tensors.items()
        ],
        "parameters": {"binary_data_output": True},
    }
    if outputs is not None:
        document["outputs"] = [{"name": name} for name in outputs]
    text = orjson.dumps(document)
    return b"".join([text, *raw.values()]), len(text)


def read_inference(response: httpx.Response) -> Inference:
    """Reads the answer of `infer`, whichever outputs came as binary data.

    Raises:
        RemoteError: It is none.
    """
    try:
        length = int(response.headers.get(LENGTH, len(response.content)))
        document = orjson.loads(response.content[:length])
        outputs = _outputs(document["outputs"], memoryview(response.content)[length:])
        parameters = document["parameters"]
        ids = tuple(map(str, parameters["prediction_ids"]))
        return Inference(outputs, ids, str(document["model_name"]), str(parameters["digest"]))
    except (*MALFORMED, InputError) as error:
        raise not_understood(response, repr(error)) from error


def _sendable(name: str, value: Array) -> Array:
    if value.dtype.kind == "U":
        value = value.astype(STRINGS)
    if value.dtype.name not in DATATYPES:
        raise InputError(
            f"tensor {name!r} has dtype {value.dtype}", fix=f"Send one of {', '.join(DATATYPES)}.", name=name
        )
    return value


def _outputs(tensors: list[dict[str, Any]], raw: memoryview) -> Tensors:
    outputs: Tensors = {}
    for tensor in tensors:
        name, dtype, shape = tensor["name"], _DTYPES[tensor["datatype"]], tensor["shape"]
        size = tensor.get("parameters", {}).get("binary_data_size")
        if size is None:
            outputs[name] = np.array(tensor["data"], dtype).reshape(shape)
        else:
            outputs[name] = from_binary(raw[:size], dtype, shape, name).reshape(shape)
            raw = raw[size:]
    return outputs
