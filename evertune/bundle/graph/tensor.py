"""One tensor of an ONNX file: whether its data is as large as its shape says."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from evertune.bundle.graph import wire

_INT64, _STRING = 7, 8
# By number of TensorProto.DataType: bits of one element in `raw_data`. Strings have none.
_BITS = {
    **dict.fromkeys((1, 6, 12), 32),  # float32, int32, uint32
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),  # uint8, int8, bool, float8
    **dict.fromkeys((4, 5, 10, 16), 16),  # uint16, int16, float16, bfloat16
    **dict.fromkeys((7, 11, 13, 14), 64),  # int64, double, uint64, complex64
    **dict.fromkeys((21, 22, 23), 4),  # uint4, int4, float4
    **dict.fromkeys((25, 26), 2),  # uint2, int2
    **dict.fromkeys((27, 28), 6),  # float6
    15: 128,  # complex128
}
# By the same number: in which field a value may stand otherwise; 5, int32_data, where nothing is said.
_TYPED_FIELD = {1: 4, 14: 4, 7: 7, _STRING: 6, 11: 10, 15: 10, 12: 11, 13: 11}
_FIXED_BYTES = {4: 4, 10: 8}  # float_data, double_data
_LOCATION_KEYS = {"location", "offset", "length", "checksum"}
_MOST_ELEMENTS = 1 << 40
_MOST_INTS = 64  # of a tensor whose values are looked at
UNREAD = 1 << 62
"""Stands for integers that were not looked at: no honest size has so many, or lies in another file."""


@dataclass
class Tensor:
    """What the file says of one tensor.

    Attributes:
        name: May be empty.
        type: Number of TensorProto.DataType.
        dims: Shape.
        raw_bytes: Length of `raw_data`; None where there is none.
        typed: Number of values by field.
        external: Key and value of `external_data`.
        is_external: Whether the data lies in another file.
        ints: The values of a small int64 tensor.
    """

    name: str = ""
    type: int = 0
    dims: list[int] = field(default_factory=list)
    raw_bytes: int | None = None
    typed: dict[int, int] = field(default_factory=dict)
    external: dict[str, str] = field(default_factory=dict)
    is_external: bool = False
    ints: list[int] = field(default_factory=list)

    @property
    def elements(self) -> int:
        """By its shape."""
        return math.prod(self.dims)

    @property
    def is_unread(self) -> bool:
        """Whether it has integers that were not looked at: too many, or in another file."""
        return self.type == _INT64 and not self.ints and self.elements > 0

    def problem(self, external_bytes: dict[str, int]) -> str | None:
        """What is wrong with it; None where nothing is.

        Args:
            external_bytes: Size of each file that it may refer to.
        """
        if any(not 0 <= size <= _MOST_ELEMENTS for size in self.dims) or self.elements > _MOST_ELEMENTS:
            return f"has the shape {str(self.dims)[:80]}"
        if self.type not in _BITS and self.type != _STRING:
            return f"has the unknown data type {self.type}"
        if self.is_external:
            return self._external_problem(external_bytes)
        if self.external:
            return "names external data, but says that it has none"
        if self.raw_bytes is not None:
            if self.typed or self.type == _STRING or self.raw_bytes != self._bytes():
                return f"has {self.raw_bytes} bytes of data, its shape {self.dims} takes {self._bytes()}"
            return None
        if self.elements and self.typed != {_TYPED_FIELD.get(self.type, 5): self._values()}:
            return f"has {sum(self.typed.values())} values, its shape {self.dims} takes {self._values()}"
        return "has values, its shape has none" if self.typed and not self.elements else None

    def _external_problem(self, external_bytes: dict[str, int]) -> str | None:
        location = self.external.get("location", "")
        if location not in external_bytes:
            return f"has its data in {location[:80]!r}, which manifest.json does not list as external_data"
        if self.raw_bytes is not None or self.typed or self.type == _STRING or set(self.external) - _LOCATION_KEYS:
            return "has external data in a form that is not allowed"
        texts = self.external.get("offset", "0"), self.external.get("length", str(self._bytes()))
        if not all(text.isascii() and text.isdecimal() and len(text) < 16 for text in texts):
            return f"has external data at {str(texts)[:80]}"
        offset, length = map(int, texts)
        if length != self._bytes() or offset + length > external_bytes[location]:
            return f"has {length} bytes at {offset} of {location}, its shape {self.dims} takes {self._bytes()}"
        return None

    def _bytes(self) -> int:
        return -(-self.elements * _BITS.get(self.type, 0) // 8)

    def _values(self) -> int:
        """How many entries of the typed field: complex numbers take two, of 4 and 2 bits several share one of 8."""
        if self.type in (14, 15):
            return 2 * self.elements
        bits = _BITS.get(self.type, 8)
        return self.elements if bits > 4 else -(-self.elements * bits // 8)


def read_tensor(data: bytes, message: wire.Field) -> Tensor:
    """Reads a TensorProto; values are counted, not decoded.

    Raises:
        ValueError: It is cut off, or in segments.
    """
    tensor, raw = Tensor(), (0, 0)
    few: list[int] = []
    for each in wire.read_fields(data, message.start, message.end):
        number, packed = each.number, each.kind == wire.BYTES
        if number == 1:
            tensor.dims += wire.varints(data, each.start, each.end) if packed else [wire.signed(each.value)]
        elif number == 2 and not packed:
            tensor.type = each.value
        elif number == 3:
            raise ValueError("a tensor is in segments")
        elif number in (4, 5, 6, 7, 10, 11):
            tensor.typed[number] = tensor.typed.get(number, 0) + _count(data, each)
            if number == 7 and len(few) <= _MOST_INTS:
                stop = min(each.end, each.start + 10 * _MOST_INTS)
                few += (
                    wire.varints(data, each.start, stop) if packed and stop == each.end else [wire.signed(each.value)]
                )
        elif number == 8 and packed:
            tensor.name = data[each.start : each.end].decode("utf-8", "backslashreplace")
        elif number == 9 and packed:
            tensor.raw_bytes, raw = each.end - each.start, (each.start, each.end)
        elif number == 13 and packed:
            _entry(data, each, tensor.external)
        elif number == 14:
            tensor.is_external = each.value != 0
    if tensor.type == _INT64 and tensor.raw_bytes and tensor.raw_bytes <= 8 * _MOST_INTS:
        few = wire.int64s(data, *raw)
    if tensor.type == _INT64 and len(few) <= _MOST_INTS:
        tensor.ints = few
    return tensor


def _count(data: bytes, each: wire.Field) -> int:
    if each.kind != wire.BYTES or each.number == 6:
        return 1
    size = _FIXED_BYTES.get(each.number)
    if size is None:
        return wire.count_varints(data, each.start, each.end)
    if (each.end - each.start) % size:
        raise ValueError(f"packed numbers at byte {each.start} are cut off")
    return (each.end - each.start) // size


def _entry(data: bytes, message: wire.Field, entries: dict[str, str]) -> None:
    texts = {1: "", 2: ""}
    for each in wire.read_fields(data, message.start, message.end):
        if each.number in texts and each.kind == wire.BYTES:
            texts[each.number] = data[each.start : each.end].decode("utf-8", "backslashreplace")
    if texts[1] in entries:
        raise ValueError(f"external data says {texts[1][:80]!r} twice")
    entries[texts[1]] = texts[2]
