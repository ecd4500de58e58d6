"""Named arrays as bytes and back: a JSON header, then the raw values. Nothing in it can run code."""

from __future__ import annotations

import json
import math
import struct
from functools import lru_cache

import numpy as np

from evertune.errors import InputError
from evertune.tensors import Array, Tensors

_MAGIC = b"ETT1"  # Evertune tensors, layout 1
_KINDS = "biuf"  # bool, integers, floats: dtypes whose bytes are values, never objects


def pack(tensors: Tensors) -> bytes:
    """Packs arrays little-endian and C-contiguous.

    Example:
        >>> unpack(pack({"x": np.array([1, 2], np.int16)}))["x"].tolist()
        [1, 2]
    """
    head = _head(tuple((name, value.dtype, value.shape) for name, value in tensors.items()))
    return b"".join([head, *(_bytes(value) for value in tensors.values())])


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
        for name, dtype, shape in _layout(data[8:offset]):
            if name in tensors:
                raise ValueError("the same name twice")
            count = math.prod(shape)
            tensors[name] = np.frombuffer(data, dtype, count, offset).reshape(shape)
            offset += count * dtype.itemsize
        if offset != len(data):
            raise ValueError("length")
    except (ValueError, struct.error, TypeError, RecursionError, OverflowError, SyntaxError) as error:
        raise InputError("packed tensors are damaged", fix="Restore the row from a backup, or drop it.") from error
    return tensors


def _bytes(value: Array) -> bytes:
    if value.dtype.byteorder == ">":
        value = value.astype(value.dtype.newbyteorder("<"))
    return value.tobytes()


# The rows of one model have one layout, and a header costs more than the values of a small row.
@lru_cache(maxsize=256)
def _head(layout: tuple[tuple[str, np.dtype[np.generic], tuple[int, ...]], ...]) -> bytes:
    header = json.dumps([[name, dtype.newbyteorder("<").str, list(shape)] for name, dtype, shape in layout]).encode()
    return _MAGIC + struct.pack("<I", len(header)) + header


@lru_cache(maxsize=256)
def _layout(header: bytes) -> tuple[tuple[str, np.dtype[np.generic], tuple[int, ...]], ...]:
    layout = []
    for name, dtype_text, shape in json.loads(header):
        dtype = np.dtype(dtype_text)
        if dtype.kind not in _KINDS or not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(dtype_text)
        layout.append((str(name), dtype, tuple(shape)))
    return tuple(layout)
