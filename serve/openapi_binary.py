"""The binary tensor extension in the OpenAPI document."""

from __future__ import annotations

from typing import Any

_HEADER = "Inference-Header-Content-Length"
_LENGTH = {"schema": {"type": "integer"}, "description": "Bytes of the JSON at the beginning of the body."}
_CONTENT = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_DESCRIPTION = (
    "Tensors may follow the JSON as raw little-endian bytes, in the order of the inputs: leave out `data`, give "
    f"`parameters.binary_data_size`, and send the length of the JSON as `{_HEADER}`. Outputs come back so where the "
    "request has `parameters.binary_data_output: true`, or an output `parameters.binary_data: true`."
)


def with_binary(operation: dict[str, Any]) -> dict[str, Any]:
    """Adds the extension to the operation `infer`."""
    body, done = operation["requestBody"], operation["responses"]["200"]
    return operation | {
        "description": _DESCRIPTION,
        "parameters": [{"name": _HEADER, "in": "header", "required": False, **_LENGTH}],
        "requestBody": body | {"content": body["content"] | _CONTENT},
        "responses": operation["responses"]
        | {"200": done | {"content": done["content"] | _CONTENT, "headers": {_HEADER: _LENGTH}}},
    }
