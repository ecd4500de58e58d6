"""Open Inference Protocol V2, JSON form: the request.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from evertune.errors import InputError
from evertune.tensors import Array, Signature, Tensors
from serve.datatypes import DATATYPES
from serve.decode import decode


@dataclass(slots=True, eq=False)  # not frozen: that costs a microsecond a request
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


class RequestReader:
    """Reads requests for one signature.

    Nearly all requests have one row of one input of fixed shape; those are compared with what was prepared here. All
    others, and all that are wrong, take the general way, which knows what to say.

    Args:
        signature: Of the model.
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._dtypes = {spec.name: spec.dtype for spec in signature.inputs}
        spec = signature.inputs[0]
        self._name, self._dtype, self._datatype = spec.name, spec.dtype, DATATYPES[spec.dtype]
        self._one_row = (1, *(size or 0 for size in spec.shape))
        self._one_row_json = list(self._one_row)
        self._size = math.prod(self._one_row)
        self._is_simple = len(signature.inputs) == 1 and self._size > 0  # a free size gives 0
        self._is_float = np.dtype(spec.dtype).kind == "f"

    def read(self, document: dict[str, Any], *, booleans: bool = True) -> InferRequest:
        """Checks a request before it is queued.

        Args:
            document: As parsed.
            booleans: Whether it may hold any; see `decode`.

        Raises:
            InputError: Names the tensor or the field, what it is and what it should be.
        """
        if self._is_simple and "outputs" not in document:
            values = self._one(document.get("inputs"), booleans)
            client_id = document.get("id")
            if values is not None and (client_id is None or type(client_id) is str):
                return InferRequest({self._name: values}, 1, client_id, None)
        return self._any(document)

    def _one(self, tensors: Any, booleans: bool) -> Array | None:
        if type(tensors) is not list or len(tensors) != 1 or type(tensors[0]) is not dict:
            return None
        tensor = tensors[0]
        if (
            tensor.get("name") != self._name
            or tensor.get("datatype") != self._datatype
            or tensor.get("shape") != self._one_row_json
        ):
            return None
        data = tensor.get("data")
        if type(data) is not list:
            return None
        values = decode(data, self._dtype, self._name, booleans=booleans)
        if values.size != self._size or (self._is_float and not np.isfinite(values).all()):
            return None
        return values.reshape(self._one_row)

    def _any(self, document: dict[str, Any]) -> InferRequest:
        tensors = document.get("inputs")
        if not isinstance(tensors, list) or not tensors or not all(isinstance(tensor, dict) for tensor in tensors):
            raise InputError(
                "the body has no list 'inputs'", fix='Send {"inputs": [{"name", "shape", "datatype", "data"}]}.'
            )
        inputs: Tensors = {}
        for tensor in tensors:
            name = tensor.get("name")
            if isinstance(name, str) and name in inputs:
                raise InputError(f"tensor {name!r} comes twice", fix="Send each input once.", name=name)
            inputs[str(name)] = _read_tensor(tensor, self._dtypes)
        client_id = document.get("id")
        if client_id is not None and not isinstance(client_id, str):
            raise InputError("the field 'id' is not a string", fix="Send a string or leave it out.")
        rows = self._signature.check_inputs(inputs)
        return InferRequest(inputs, rows, client_id, _read_outputs(document.get("outputs"), self._signature))


def _read_tensor(tensor: dict[str, Any], dtypes: dict[str, str]) -> Array:
    name, shape, data = tensor.get("name"), tensor.get("shape"), tensor.get("data")
    dtype = dtypes.get(name) if isinstance(name, str) else None
    if dtype is None:
        raise InputError(
            f"unknown tensor {str(name)[:80]!r}", fix=f"Send exactly {sorted(dtypes)}.", name=str(name)[:80]
        )
    if tensor.get("datatype") != DATATYPES[dtype]:
        raise InputError(
            f"tensor {name!r} has datatype {str(tensor.get('datatype'))[:20]!r}, expected {DATATYPES[dtype]!r}",
            fix=f"Send {dtype} values as {DATATYPES[dtype]}.",
            name=name,
        )
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise InputError(f"tensor {name!r} has no 'shape' of whole numbers", fix="Send [rows, ...].", name=name)
    if data is None and isinstance(parameters := tensor.get("parameters"), dict) and "binary_data_size" in parameters:
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


def _read_outputs(wanted: Any, signature: Signature) -> list[str] | None:
    if wanted is None or wanted == []:
        return None
    known = [spec.name for spec in signature.outputs]
    asked = wanted if isinstance(wanted, list) else [wanted]
    names = [output.get("name") if isinstance(output, dict) else output for output in asked]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"unknown outputs {unknown}", fix=f"Ask for some of {known}, or leave 'outputs' out.")
    return [str(name) for name in names]
