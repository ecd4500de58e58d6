"""`/predict` for a model with a preprocessor: raw columns, graph inputs by name, or both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from evertune.errors import InputError, TooLargeError
from evertune.preprocessing import Column, Preprocessor
from evertune.tensors import Signature, Tensors, TensorSpec
from serve.decode import decode
from serve.multipart import Part


@dataclass(slots=True, eq=False)
class RawRequest:
    """What a client sent, not yet tensors.

    Attributes:
        columns: Raw values by column.
        tensors: JSON lists by graph input.
    """

    columns: dict[str, list[Any]] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)


class RawReader:
    """Reads requests of one model.

    Args:
        preprocessor: Of the bundle.
        signature: Likewise.
        max_rows: Of a request.
        max_tensor_bytes: Of a request once it is tensors: a small file may hold many pixels.
    """

    def __init__(
        self, preprocessor: Preprocessor, signature: Signature, *, max_rows: int, max_tensor_bytes: int
    ) -> None:
        self._preprocessor, self._signature = preprocessor, signature
        self._columns = {column.name: column for column in preprocessor.columns}
        self._dtypes = {spec.name: spec.dtype for spec in signature.inputs}
        row_bytes = sum(map(_bytes_of, preprocessor.outputs))
        self._max_rows, self._row_bytes, self._max_tensor_bytes = max_rows, row_bytes, max_tensor_bytes

    @property
    def columns(self) -> tuple[Column, ...]:
        """What a client may send."""
        return self._preprocessor.columns

    def is_slow(self, request: RawRequest) -> bool:
        """Whether it has files to decode, which takes milliseconds each: not on the event loop."""
        return any(self._columns[name].type == "image" for name in request.columns)

    def from_json(self, document: dict[str, Any]) -> RawRequest:
        """Reads `{"inputs": {name: [row, ...]}}` or `{"instances": [row, ...]}`.

        An instance is an object, or the value itself where the model reads one raw column; a list is then a row of the
        model's one graph input.

        Raises:
            InputError: Names what is missing, unknown or malformed.
            TooLargeError: Too many rows.
        """
        if ("inputs" in document) == ("instances" in document):
            raise InputError("the body needs either 'inputs' or 'instances'", fix=self._fix)
        given = document["inputs"] if "inputs" in document else self._by_column(document["instances"])
        if not isinstance(given, dict):
            raise InputError("'inputs' is not an object", fix=self._fix)
        request = RawRequest()
        for name, values in given.items():
            if name in self._columns:
                request.columns[name] = self._column(name, values)
            elif name in self._dtypes:
                request.tensors[name] = values
            else:
                raise self._unknown(name)
        self._check_size(request)
        return request

    def from_parts(self, parts: Sequence[Part]) -> RawRequest:
        """Reads parts: one a value, in the order of rows.

        Raises:
            InputError: An unknown column, or a value that is not of its column's type.
            TooLargeError: Too many rows.
        """
        request = RawRequest()
        for part in parts:
            column = self._columns.get(part.name)
            if column is None:
                raise self._unknown(part.name)
            values = request.columns.setdefault(part.name, [])
            values.append(_value(part.content, column, len(values)))
        self._check_size(request)
        return request

    def tensors(self, request: RawRequest) -> Tensors:
        """The graph's inputs, checked. Safe in any thread.

        Raises:
            InputError: Names column and row, or the tensor.
        """
        inputs = {name: decode(values, self._dtypes[name], name) for name, values in request.tensors.items()}
        made = self._preprocessor.transform(request.columns, without=set(inputs)) if request.columns else {}
        useless = set(request.columns) - self._read_without(set(inputs))
        if useless:
            raise InputError(
                f"columns {sorted(useless)} come beside the graph inputs made of them", fix="Send one or the other."
            )
        inputs = {**made, **inputs}
        self._signature.check_inputs(inputs)
        return inputs

    def _read_without(self, given: set[str]) -> set[str]:
        steps = (step for step in self._preprocessor.steps if step.spec.name not in given)
        return {column.name for step in steps for column in step.columns}

    def _by_column(self, instances: Any) -> dict[str, list[Any]]:
        if not isinstance(instances, list):
            raise InputError("'instances' is not a list", fix='Send {"instances": [row, ...]}.')
        if instances and not any(isinstance(instance, dict) for instance in instances):
            return {self._only_name(isinstance(instances[0], list)): instances}
        for row, instance in enumerate(instances):
            if not isinstance(instance, dict) or set(instance) != set(instances[0]):
                raise InputError(f"instance {row} has other fields than instance 0", fix=self._fix, row=row)
        return {name: [instance[name] for instance in instances] for name in (instances[0] if instances else {})}

    def _only_name(self, tensor: bool) -> str:
        names = list(self._dtypes if tensor else self._columns)
        if len(names) > 1:
            raise InputError("an instance is no object", fix=f"Send objects with the fields {names}.")
        return names[0]

    def _column(self, name: str, values: Any) -> list[Any]:
        if not isinstance(values, list):
            raise InputError(f"column {name!r} is not a list", fix='Send {"inputs": {name: [row, ...]}}.', column=name)
        return values

    def _check_size(self, request: RawRequest) -> None:
        rows = max(map(len, request.columns.values()), default=0)
        most = max(1, min(self._max_rows, self._max_tensor_bytes // max(1, self._row_bytes)))
        if rows > most:
            raise TooLargeError(f"the request has {rows} rows", fix=f"Send at most {most} rows a request.")

    def _unknown(self, name: str) -> InputError:
        return InputError(f"unknown column {name[:80]!r}", fix=self._fix, column=name[:80])

    @property
    def _fix(self) -> str:
        shown = list(self._columns)[:20]
        return (
            f'Send {{"inputs": {{name: [row, ...]}}}} with the columns {shown}, or graph inputs {list(self._dtypes)}.'
        )


def _bytes_of(spec: TensorSpec) -> int:
    return math.prod(size or 1 for size in spec.shape) * np.dtype(spec.dtype).itemsize


def _value(content: bytes, column: Column, row: int) -> Any:
    """A part's content as the value that JSON would have."""
    if column.type == "image":
        return content
    try:
        text = content.decode("utf-8")
        if column.type == "text":
            return text
        if not text.strip():
            return None
        return text if column.type == "category" else orjson.loads(text)
    except ValueError:  # of both
        expected = "a number" if column.type == "number" else "text in UTF-8"
        raise InputError(
            f"column {column.name!r}, row {row}: {content[:40].decode('utf-8', 'replace')!r} is not {expected}",
            fix=f"Send {expected}.",
        ) from None
