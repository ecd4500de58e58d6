"""The OpenAPI document of our routes, with examples that fit the served model, and a docs page without a network."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from evertune.datatypes import DATATYPES
from evertune.tensors import TensorSpec
from serve.live import Live
from serve.openapi_binary import with_binary
from serve.openapi_inputs import example_value, request_content

try:
    VERSION = version("evertune")
except PackageNotFoundError:  # a built Bento carries the folders, not the distribution
    VERSION = "0"

EXTENSIONS = ["binary_tensor_data"]
"""Of the Open Inference Protocol, by the names that Triton gives them."""

_ROW = "01890a5d-ac96-774b-bcce-b302099a8057:0"
_ERROR = {
    "error": "tensor 'image' has shape [1, 27, 28], expected ['rows', 28, 28]",
    "code": "bad_input",
    "fix": "Send whole rows of that shape.",
    "details": {"name": "image"},
}
_AGAIN = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "format": "uuid"},
    "description": "A new UUIDv7, sent again where the answer was lost: the prediction is then recorded once.",
}
_SMALL = TensorSpec("x", "float32", (2,))

# Swagger UI comes with BentoML, from this server; BentoML's own page would load a tag manager from the internet.
PAGE = b"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Evertune</title>
<link rel="stylesheet" href="/static_content/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/static_content/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});</script>
<noscript>The same as JSON: <a href="/openapi.json">/openapi.json</a></noscript>
</body>
</html>
"""


def document(models: Iterable[Live]) -> dict[str, Any]:
    """The OpenAPI 3.0 document.

    Args:
        models: What is loaded; the first gives the examples of the routes that all share.
    """
    models = list(models)
    live = models[0] if models else None
    specs = live.signature.inputs if live else (_SMALL,)
    model = live.model if live else "NAME"
    label = live.kind.example_label(live.labels) if live else "sneaker"
    outputs = live.signature.outputs if live else (TensorSpec("probabilities", "float32", (2,)),)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Evertune",
            "version": VERSION,
            "description": "Predictions with ids, labels that come later, and the model's state.",
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key, `ek_...`."}},
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error", "code"],
                    "properties": {
                        "error": {"type": "string", "description": "What was wrong."},
                        "code": {"type": "string"},
                        "fix": {"type": "string", "description": "What to do."},
                        "details": {"type": "object"},
                    },
                }
            },
        },
        "paths": {
            "/predict": {"post": _predict(live), "parameters": [_AGAIN]},
            **{f"/predict/{each.model}": {"post": _predict(each), "parameters": [_AGAIN]} for each in models},
            "/v2/models/{name}/infer": {
                "post": with_binary(_infer(specs, outputs, model)),
                "parameters": [_name(model), _AGAIN],
            },
            "/labels": {"post": _labels(label)},
            "/v2": {
                "get": _get("About the server.", {"name": "evertune", "version": VERSION, "extensions": EXTENSIONS})
            },
            "/v2/models": {"get": _get("What is loaded, and what did not load.", {"models": []})},
            "/v2/models/{name}": {"get": _get("Inputs, outputs, version."), "parameters": [_name(model)]},
            "/v2/models/{name}/ready": {"get": _get("Whether it is loaded."), "parameters": [_name(model)]},
            "/v2/health/live": {"get": _get("The process answers.", {"live": True})},
            "/v2/health/ready": {"get": _get("A champion is loaded.", {"ready": True})},
            "/metrics": {"get": _get("Prometheus metrics of all workers.", media="text/plain")},
        },
    }


def _example_answer(live: Live) -> dict[str, Any]:
    """What the kind answers where every output is zero."""
    zeros = {
        spec.name: np.zeros((1, *(size or 1 for size in spec.shape)), spec.dtype) for spec in live.signature.outputs
    }
    (answer,) = live.kind.answer(zeros, live.labels, live.bundle.manifest.parameters)
    return answer


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "shape": [1, *(size or 1 for size in spec.shape)],
        "datatype": DATATYPES[spec.dtype],
        "data": _flat(example_value(spec)),
    }


def _flat(value: Any) -> list[Any]:
    return [leaf for part in value for leaf in _flat(part)] if isinstance(value, list) else [value]


def _predict(live: Live | None) -> dict[str, Any]:
    example = {"inputs": {_SMALL.name: [example_value(_SMALL)]}}
    model, answer = (live.model, _example_answer(live)) if live else ("NAME", {"label": "sneaker"})
    return _post(
        "Answers and confidence.",
        request_content(live) if live else _json(example),
        {"predictions": [{"id": _ROW, **answer, "confidence": 0.93}], "model": model, "digest": "ab" * 32},
        "The confidence is the expected score of the answer: for classification the calibrated probability that the "
        "label is right, else the expected 1 - loss. `instances` (a list of rows) may stand instead of `inputs`. Keep "
        "the ids: labels refer to them. Of several models `/predict/{name}` names one.",
    )


def _infer(specs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], model: str) -> dict[str, Any]:
    inputs = [_tensor(spec) for spec in specs]
    answer = {
        "model_name": model,
        "model_version": "ab" * 6,
        "id": _ROW[:36],
        "parameters": {"digest": "ab" * 32, "request_id": _ROW[:36], "prediction_ids": [_ROW]},
        "outputs": [_tensor(spec) for spec in outputs],
    }
    return _post("Open Inference Protocol V2.", _json({"inputs": inputs}), answer)


def _labels(label: Any) -> dict[str, Any]:
    return _post(
        "True labels of earlier predictions.",
        _json({"labels": [{"id": _ROW, "label": label}]}),
        {"accepted": 1, "unchanged": 0, "corrected": 0},
        "They are on disk when the answer comes. All labels of a request are stored, or none; sending one again is "
        "safe, and sending another one for the same row corrects it. For a ranking with a horizon each is a click, "
        "which may have happened `at` a time (seconds since the epoch); with `final` it is the label of the row.",
    )


def _post(summary: str, content: dict[str, Any], answer: Any, description: str = "") -> dict[str, Any]:
    return {
        "summary": summary,
        "description": description,
        "security": [{"key": []}],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "Done.", "content": _json(answer)},
            **{code: _failure(text) for code, text in _FAILURES.items()},
        },
    }


_FAILURES = {
    "400": "Malformed: JSON, names, shape, dtype, NaN, a label that the task does not have.",
    "401": "No key, an unknown one, or one without the role.",
    "404": "Unknown model, or a label for a row that was never predicted.",
    "413": "Too many bytes or rows, before or after decompression.",
    "415": "A content encoding other than gzip and deflate.",
    "503": "No champion yet, or too much at once; see Retry-After.",
}


def _failure(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": description, "content": {"application/json": {"schema": schema, "example": _ERROR}}}


def _get(summary: str, answer: Any = None, media: str = "application/json") -> dict[str, Any]:
    content: dict[str, Any] = {} if answer is None else {"example": answer}
    return {"summary": summary, "responses": {"200": {"description": "Done.", "content": {media: content}}}}


def _name(model: str) -> dict[str, Any]:
    return {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}, "example": model}


def _json(example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object"}, "example": example}}
