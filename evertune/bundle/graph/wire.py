"""The wire format of Protocol Buffers (protobuf.dev/programming-guides/encoding), read without copying."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32, RUN = 0, 1, 2, 5, 6
_LAST_BYTES = bytes(range(128))  # of a varint
# `repeated` numbers of an AttributeProto are not packed: a forest has millions, each with its own tag. A run of them is
# stepped over at once. By tag byte: floats (7) and ints (8).
_RUNS = {
    7 << 3 | FIXED32: re.compile(rb"(?:\x3d.{4})+", re.DOTALL),
    8 << 3 | VARINT: re.compile(rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])+"),
}


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: As in onnx.proto.
        kind: VARINT, FIXED64, BYTES, FIXED32, or RUN for many numbers of one field in a row.
        value: Of a varint, unsigned; else 0.
        start: First byte of the content.
        end: One after its last byte.
    """

    number: int
    kind: int
    value: int
    start: int
    end: int


def read_fields(data: bytes, start: int, end: int, *, runs: bool = False) -> Iterator[Field]:
    """The fields of the message in `data[start:end]`.

    Args:
        data: The whole file.
        start: First byte of the message.
        end: One after its last byte.
        runs: Step over runs of numbers (attributes only).

    Raises:
        ValueError: A field is cut off, longer than its message, or of a kind that is not known; a tag has over 32 bits.
    """
    position = start
    while position < end:
        if runs and (pattern := _RUNS.get(data[position])) and (run := pattern.match(data, position, end)):
            yield Field(data[position] >> 3, RUN, 0, position, run.end())
            position = run.end()
            continue
        tag, position = _varint(data, position, end)
        if tag >> 32:  # ONNX Runtime cuts it to 32 bits, and would see a field that an audit does not
            raise ValueError(f"the tag at byte {position} has over 32 bits")
        number, kind, value, first = tag >> 3, tag & 7, 0, position
        if kind == VARINT:
            value, position = _varint(data, position, end)
        elif kind == BYTES:
            length, first = _varint(data, position, end)
            position = first + length
        elif kind in (FIXED32, FIXED64):
            position += 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"field {number} is of the unknown wire type {kind}")
        if position > end or number == 0:
            raise ValueError(f"field {number} at byte {first} is cut off")
        yield Field(number, kind, value, first, position)


def varints(data: bytes, start: int, end: int) -> list[int]:
    """Packed varints, signed as int64."""
    found = []
    while start < end:
        value, start = _varint(data, start, end)
        found.append(signed(value))
    return found


def count_varints(data: bytes, start: int, end: int) -> int:
    """How many packed varints there are."""
    return end - start - len(data[start:end].translate(None, _LAST_BYTES))


def run_of_ints(data: bytes, field: Field) -> list[int]:
    """The values of a RUN of varints with a tag of one byte."""
    found, position = [], field.start
    while position < field.end:
        value, position = _varint(data, position + 1, field.end)
        found.append(signed(value))
    return found


def signed(value: int) -> int:
    """An unsigned varint as int64."""
    return value - (1 << 64) if value >= 1 << 63 else value


def int64s(data: bytes, start: int, end: int) -> list[int]:
    """Little-endian int64 values."""
    return [each for (each,) in struct.iter_unpack("<q", data[start:end])] if (end - start) % 8 == 0 else []


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & ((1 << 64) - 1), position
        shift += 7
        if shift > 63:
            raise ValueError(f"a number at byte {position} has over ten bytes")
    raise ValueError(f"the file is cut off at byte {position}")
