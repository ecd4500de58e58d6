"""Open Inference Protocol V2: the request, in JSON with or without binary tensors behind it.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from evertune.datatypes import DATATYPES
from evertune.errors import InputError
from evertune.tensors import Array, Signature, Tensors
from serve.binary_part import BinaryPart
from serve.decode import decode
from serve.infer_outputs import read_outputs
from serve.infer_tensor import read_tensor


@dataclass(slots=True, eq=False)  # not frozen: that costs a microsecond a request
class InferRequest:
    """A decoded and checked request.

    Attributes:
        inputs: Named arrays.
        rows: Their number.
        client_id: The `id` that the client chose, or None.
        outputs: Names of the outputs that it wants, and whether as binary data; None: all, as JSON.
    """

    inputs: Tensors
    rows: int
    client_id: str | None
    outputs: dict[str, bool] | None


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

    def read(
        self, document: dict[str, Any], *, booleans: bool = True, binary: BinaryPart | None = None
    ) -> InferRequest:
        """Checks a request before it is queued.

        Args:
            document: As parsed.
            booleans: Whether it may hold any; see `decode`.
            binary: What follows it; None where its length was not sent.

        Raises:
            InputError: Names the tensor or the field, what it is and what it should be.
        """
        if self._is_simple and binary is None and "outputs" not in document and "parameters" not in document:
            values = self._one(document.get("inputs"), booleans)
            client_id = document.get("id")
            if values is not None and (client_id is None or type(client_id) is str):
                return InferRequest({self._name: values}, 1, client_id, None)
        return self._any(document, binary)

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

    def _any(self, document: dict[str, Any], binary: BinaryPart | None) -> InferRequest:
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
            inputs[str(name)] = read_tensor(tensor, self._dtypes, binary)
        if binary is not None:
            binary.end()
        client_id = document.get("id")
        if client_id is not None and not isinstance(client_id, str):
            raise InputError("the field 'id' is not a string", fix="Send a string or leave it out.")
        rows = self._signature.check_inputs(inputs)
        return InferRequest(inputs, rows, client_id, read_outputs(document, self._signature))
