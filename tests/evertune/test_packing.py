from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from evertune.errors import InputError
from evertune.packing import pack, unpack

_dtypes = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)
_array = arrays.arrays(_dtypes, arrays.array_shapes(min_dims=0, min_side=0, max_side=4))


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=8), _array, max_size=3))
def test_any_tensors_come_back_bit_by_bit(tensors: dict[str, Any]) -> None:
    again = unpack(pack(tensors))
    assert list(again) == list(tensors)
    for name, value in tensors.items():
        assert again[name].shape == value.shape
        assert again[name].dtype == value.dtype.newbyteorder("<")
        assert again[name].tobytes() == value.astype(value.dtype.newbyteorder("<")).tobytes()


def test_slices_are_packed_as_seen() -> None:
    value = np.arange(24).reshape(4, 6)[::2, ::-3]
    assert unpack(pack({"x": value}))["x"].tolist() == value.tolist()


@given(st.binary(max_size=60))
def test_random_bytes_give_an_input_error_and_nothing_else(data: bytes) -> None:
    for content in (data, b"ETT1" + data):
        try:
            unpack(content)
        except InputError:
            continue
        assert content == b"ETT1" + struct.pack("<I", len(content) - 8) + content[8:]


@given(st.integers(0, 200), st.integers(0, 7))
def test_a_flipped_bit_gives_tensors_or_an_input_error(position: int, bit: int) -> None:
    data = bytearray(pack({"image": np.arange(30, dtype=np.uint8), "p": np.ones((2, 3), np.float32)}))
    data[position % len(data)] ^= 1 << bit
    try:
        tensors = unpack(bytes(data))
    except InputError:
        return
    assert len(tensors) in (1, 2)


@pytest.mark.parametrize(
    "header",
    [
        [["x", "|O", [1]]],
        [["x", "<U4", [1]]],
        [["x", "<f4", [-1]]],
        [["x", "<f4", [10**9]]],
        [["x", "<f4", ["1"]]],
        [["x", [["a", "<f4"]], [1]]],
        [["x"]],
        {"x": 1},
        3,
    ],
)
def test_headers_that_promise_objects_or_too_much_are_refused(header: object) -> None:
    text = json.dumps(header).encode()
    with pytest.raises(InputError, match="damaged"):
        unpack(b"ETT1" + struct.pack("<I", len(text)) + text + b"\0" * 16)


def test_bytes_left_over_are_damage() -> None:
    with pytest.raises(InputError, match="damaged"):
        unpack(pack({"x": np.zeros(2)}) + b"\0")
