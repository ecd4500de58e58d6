"""Open Inference Protocol V2: the response, JSON and perhaps binary tensors behind it; and the model's metadata."""

from __future__ import annotations

from typing import Any

import orjson

from evertune.binary import to_binary
from evertune.bundle import Manifest
from evertune.datatypes import DATATYPES
from evertune.tensors import Array, TensorSpec
from serve.infer_request import InferRequest
from serve.reply import Reply
from serve.ticket import Outcome


class ResponseWriter:
    """Writes answers of one bundle. All that is the same in each of them is written once, here.

    Args:
        manifest: Of the bundle.
    """

    def __init__(self, manifest: Manifest) -> None:
        name, digest = orjson.dumps(manifest.model), manifest.digest.encode()
        self._start = b'{"model_name":%b,"model_version":"%b","id":' % (name, digest[:12])
        self._parameters = b',"parameters":{"digest":"%b","request_id":"' % digest
        self._outputs = {
            spec.name: b'{"name":%b,"datatype":"%b","shape":'
            % (orjson.dumps(spec.name), DATATYPES[spec.dtype].encode())
            for spec in manifest.signature.outputs
        }
        self._all_as_json = dict.fromkeys(self._outputs, False)

    def write(self, request: InferRequest, outcome: Outcome) -> Reply:
        """The answer, with our row ids among its parameters."""
        own_id = outcome.request_id
        ids = f'"{own_id}:0"' if request.rows == 1 else ",".join(f'"{own_id}:{row}"' for row in range(request.rows))
        parts = [
            self._start,
            orjson.dumps(request.client_id) if request.client_id else b'"%b"' % own_id.encode(),
            self._parameters,
            f'{own_id}","prediction_ids":[{ids}]}},"outputs":['.encode(),
        ]
        binary: list[bytes] = []
        comma = b""
        for name, as_binary in (request.outputs or self._all_as_json).items():
            value = outcome.outputs[name]
            parts += (comma, self._outputs[name], orjson.dumps(value.shape))
            comma = b","
            if as_binary:
                binary.append(to_binary(value))
                parts.append(b',"parameters":{"binary_data_size":%d}}' % len(binary[-1]))
            else:
                data = orjson.dumps(value.ravel(), _strings, orjson.OPT_SERIALIZE_NUMPY)
                parts += (b',"data":', data, b"}")
        parts.append(b"]}")
        text = b"".join(parts)
        return _with_binary(text, binary) if binary else Reply(200, text)


def _with_binary(text: bytes, binary: list[bytes]) -> Reply:
    headers = (
        (b"content-type", b"application/octet-stream"),
        (b"inference-header-content-length", b"%d" % len(text)),
    )
    return Reply(200, b"".join([text, *binary]), headers)


def _strings(value: Array) -> list[str]:
    """What orjson asks for, since it does not know arrays of strings."""
    texts: list[str] = value.tolist()
    return texts


def metadata(manifest: Manifest) -> dict[str, Any]:
    """The model's metadata response."""
    return {
        "name": manifest.model,
        "versions": [manifest.digest[:12]],
        "platform": "onnx_onnxruntime",
        "inputs": [_tensor(spec) for spec in manifest.signature.inputs],
        "outputs": [_tensor(spec) for spec in manifest.signature.outputs],
        "parameters": {"digest": manifest.digest, "labels": manifest.labels, "recipe": manifest.recipe},
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    shape = [-1, *(-1 if size is None else size for size in spec.shape)]
    return {"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": shape}
