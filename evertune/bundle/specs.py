"""The signature in a manifest, checked before numpy sees a word of it."""

from __future__ import annotations

from typing import Any

from evertune.datatypes import DATATYPES
from evertune.tensors import Signature

_MOST_TENSORS = 1000
_MOST_AXES = 16
_LONGEST_AXIS = 1 << 31
_LONGEST_NAME = 512


def signature_of(data: Any) -> Signature:
    """Parses `manifest.signature`.

    Raises:
        ValueError: A field is missing or unknown, a dtype is not on the list, a name is used twice, or an axis is of no
            length.
        TypeError: A value is not of the type that it should be.
    """
    if set(data) != {"inputs", "outputs"}:
        raise ValueError(f"signature has fields {sorted(map(str, data))}")
    for side in ("inputs", "outputs"):
        specs = data[side]
        if not isinstance(specs, list) or not 1 <= len(specs) <= _MOST_TENSORS:
            raise ValueError(f"signature has no {side}, or over {_MOST_TENSORS}")
        for spec in specs:
            _check(spec, side)
        names = [spec["name"] for spec in specs]
        if len(set(names)) != len(names):
            raise ValueError(f"signature has two {side} of one name")
    return Signature.from_json(data)


def _check(spec: Any, side: str) -> None:
    if not isinstance(spec, dict) or set(spec) != {"name", "dtype", "shape"}:
        raise ValueError(f"signature: an entry of {side} is malformed: {repr(spec)[:80]}")
    name, dtype, shape = spec["name"], spec["dtype"], spec["shape"]
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError(f"signature: {side} has the name {repr(name)[:80]}")
    if not isinstance(dtype, str) or dtype not in DATATYPES:
        raise ValueError(f"signature: {name[:80]!r} has the dtype {repr(dtype)[:80]}")
    axes = isinstance(shape, list) and len(shape) <= _MOST_AXES
    if not axes or not all(size is None or (type(size) is int and 0 <= size <= _LONGEST_AXIS) for size in shape):
        raise ValueError(f"signature: {name[:80]!r} has the shape {repr(shape)[:80]}")
