"""What one model takes at `/predict`, as OpenAPI says it: schema and an example that works."""

from __future__ import annotations

from typing import Any

import numpy as np

from evertune.datatypes import STRINGS
from evertune.preprocessing import Column
from evertune.tensors import TensorSpec
from serve.live import Live

_TYPES: dict[str, dict[str, Any]] = {
    "number": {"type": "number", "nullable": True},
    "category": {"oneOf": [{"type": "string"}, {"type": "integer"}], "nullable": True},
    "text": {"type": "string"},
    "image": {"type": "string", "format": "byte"},
}
_PART_TYPES = {**_TYPES, "category": {"type": "string"}, "image": {"type": "string", "format": "binary"}}


def request_content(live: Live) -> dict[str, Any]:
    """The `content` of a request body for one model: JSON, and parts where it takes raw columns."""
    columns = () if live.raw is None else live.raw.columns
    made = set() if live.bundle.preprocessor is None else {spec.name for spec in live.bundle.preprocessor.outputs}
    plain = [spec for spec in live.signature.inputs if spec.name not in made]
    properties = {column.name: _list_of(_TYPES[column.type], column.description) for column in columns}
    properties |= {spec.name: _list_of(_items(spec), _describe(spec)) for spec in live.signature.inputs}
    example = {column.name: [column.example] for column in columns}
    example |= {spec.name: [example_value(spec)] for spec in plain}
    content = {
        "application/json": {
            "schema": {"type": "object", "properties": {"inputs": {"type": "object", "properties": properties}}},
            "example": {"inputs": example},
        }
    }
    if columns and not plain:
        content["multipart/form-data"] = {"schema": _form(columns)}
    return content


def example_value(spec: TensorSpec) -> Any:
    """One row of zeros, as JSON has it; a free axis has length one."""
    value: Any = {"bool": False, STRINGS: "text"}.get(spec.dtype, 0)
    for size in reversed(spec.shape):
        value = [value] * (size or 1)
    return value


def _form(columns: tuple[Column, ...]) -> dict[str, Any]:
    """One row in parts; a column that comes again begins the next row."""
    properties = {
        column.name: {**_PART_TYPES[column.type], "description": column.description.replace("; base64 in JSON", "")}
        for column in columns
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _list_of(items: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "array", "description": f"{description} One entry a row.", "items": items}


def _items(spec: TensorSpec) -> dict[str, Any]:
    kind = np.dtype(spec.dtype).kind
    schema: dict[str, Any] = {"type": {"b": "boolean", "f": "number", "O": "string"}.get(kind, "integer")}
    for size in reversed(spec.shape):
        schema = {"type": "array", "items": schema, **({} if size is None else {"minItems": size, "maxItems": size})}
    return schema


def _describe(spec: TensorSpec) -> str:
    shape = " x ".join("any" if size is None else str(size) for size in spec.shape) or "one number"
    return f"Input of the graph, {spec.dtype}, {shape}."
