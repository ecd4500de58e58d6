"""Raw tensors of the Open Inference Protocol's binary extension.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol/binary-tensor-data-extension

Little-endian, row major, without padding. A BOOL is one byte, 0 or 1; an element of BYTES is a 4-byte length and as
many bytes, here always UTF-8.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from evertune.datatypes import STRINGS
from evertune.errors import InputError
from evertune.tensors import Array

_LENGTH = struct.Struct("<I")


def from_binary(data: memoryview, dtype: str, shape: list[int], name: str) -> Array:
    """Reads a tensor; no copy where the bytes lie as numpy and ONNX Runtime need them.

    Args:
        data: Exactly the tensor's bytes.
        dtype: numpy name.
        shape: Sizes, none of them negative.
        name: Of the tensor, for the error.

    Returns:
        Shape (values,); the caller gives it its shape.

    Raises:
        InputError: The bytes do not fill the shape, or are no values of the dtype.

    Example:
        >>> from_binary(memoryview(bytes([1, 0, 2, 0])), "uint16", [2], "x").tolist()
        [1, 2]
    """
    count = math.prod(shape)
    if dtype == STRINGS:
        return _strings(data, count, name)
    wanted_bytes = count * np.dtype(dtype).itemsize
    if len(data) != wanted_bytes:
        raise InputError(
            f"tensor {name!r} has {len(data)} binary bytes; shape {shape} of {dtype} takes {wanted_bytes}",
            fix="Send as many bytes as shape and datatype take, and their number as 'binary_data_size'.",
            name=name,
        )
    return _numbers(data, dtype, name)


def to_binary(value: Array) -> bytes:
    r"""A tensor's bytes.

    Example:
        >>> to_binary(np.array(["a", "bc"], object))
        b'\x01\x00\x00\x00a\x02\x00\x00\x00bc'
    """
    if value.dtype == object:
        elements = (str(element).encode() for element in value.ravel())
        return b"".join(_LENGTH.pack(len(element)) + element for element in elements)
    return value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()


def _numbers(data: memoryview, dtype: str, name: str) -> Array:
    if dtype == "bool" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise InputError(f"tensor {name!r} holds a byte that is no bool", fix="Send bytes 0 and 1 only.", name=name)
    values: Array = np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).astype(dtype, copy=False)
    return values if values.flags.aligned else values.copy()


def _strings(data: memoryview, count: int, name: str) -> Array:
    elements: list[str] = []
    offset = 0
    while offset < len(data):
        start = offset + _LENGTH.size
        offset = start + (_LENGTH.unpack_from(data, offset)[0] if start <= len(data) else 0)
        if offset > len(data):
            raise InputError(
                f"element {len(elements)} of tensor {name!r} goes beyond the tensor's {len(data)} bytes",
                fix="Send a 4-byte little-endian length before each element, and as many bytes.",
                name=name,
            )
        try:
            elements.append(str(data[start:offset], "utf-8"))
        except UnicodeDecodeError:
            raise InputError(
                f"element {len(elements)} of tensor {name!r} is no UTF-8", fix="Send UTF-8 text.", name=name
            ) from None
    if len(elements) != count:
        raise InputError(
            f"tensor {name!r} has {len(elements)} elements, its shape takes {count}",
            fix="Send as many elements as the product of the shape.",
            name=name,
        )
    return np.array(elements, object)
