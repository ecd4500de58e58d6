"""Named arrays as bytes and back: a JSON header, then the raw values. Nothing in it can run code."""

from __future__ import annotations

import json
import math
import struct

import numpy as np

from evertune.errors import InputError
from evertune.tensors import Tensors

_MAGIC = b"ETT1"  # Evertune tensors, layout 1
_KINDS = "biuf"  # bool, integers, floats: dtypes whose bytes are values, never objects


def pack(tensors: Tensors) -> bytes:
    """Packs arrays little-endian and C-contiguous.

    Example:
        >>> unpack(pack({"x": np.array([1, 2], np.int16)}))["x"].tolist()
        [1, 2]
    """
    header = json.dumps(
        [[name, value.dtype.newbyteorder("<").str, list(value.shape)] for name, value in tensors.items()]
    ).encode()
    body = (np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes() for value in tensors.values())
    return b"".join([_MAGIC, struct.pack("<I", len(header)), header, *body])


def unpack(data: bytes) -> Tensors:
    """Inverse of `pack`; the arrays are read-only views of `data`.

    Raises:
        InputError: The bytes are not of this layout.
    """
    try:
        if data[:4] != _MAGIC:
            raise ValueError("magic")
        (length,) = struct.unpack_from("<I", data, 4)
        offset = 8 + length
        tensors: Tensors = {}
        for name, dtype_text, shape in json.loads(data[8:offset]):
            dtype = np.dtype(dtype_text)
            if dtype.kind not in _KINDS:
                raise ValueError(dtype_text)
            count = math.prod(shape)
            tensors[name] = np.frombuffer(data, dtype, count, offset).reshape(shape)
            offset += count * dtype.itemsize
    except (ValueError, struct.error, TypeError) as error:
        raise InputError("packed tensors are damaged", fix="Restore the row from a backup, or drop it.") from error
    return tensors
