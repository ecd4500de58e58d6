"""One input tensor of an Open Inference Protocol request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evertune.datatypes import DATATYPES
from evertune.errors import InputError
from evertune.tensors import Array
from serve.binary_part import BinaryPart
from serve.decode import decode


def read_tensor(tensor: dict[str, Any], dtypes: Mapping[str, str], binary: BinaryPart | None) -> Array:
    """Reads an input, given as JSON or as binary data.

    Args:
        tensor: As parsed.
        dtypes: numpy names by input.
        binary: What follows the JSON; None where its length was not sent.

    Raises:
        InputError: Names the tensor, what it is and what it should be.
    """
    name, shape = tensor.get("name"), tensor.get("shape")
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
    values = _values(tensor, dtype, shape, str(name), binary)
    try:
        return values.reshape(shape)
    except (ValueError, OverflowError):
        raise InputError(
            f"tensor {name!r} has {values.size} values, which do not fill its shape {shape}",
            fix="Send as many values as the product of the shape.",
            name=name,
        ) from None


def _values(tensor: dict[str, Any], dtype: str, shape: list[int], name: str, binary: BinaryPart | None) -> Array:
    parameters = tensor.get("parameters")
    if not isinstance(parameters, dict) or "binary_data_size" not in parameters:
        return decode(tensor.get("data"), dtype, name)
    if tensor.get("data") is not None:
        raise InputError(f"tensor {name!r} has 'data' and a binary_data_size", fix="Send either of the two.", name=name)
    if binary is None:
        raise InputError(
            f"tensor {name!r} has a binary_data_size, but no header says where the JSON ends",
            fix="Send the length of the JSON in bytes as Inference-Header-Content-Length.",
            name=name,
        )
    return binary.take(parameters["binary_data_size"], dtype, shape, name)
