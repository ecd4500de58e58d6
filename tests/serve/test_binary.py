"""The binary tensor extension, without a server."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evertune.binary import from_binary, to_binary
from evertune.bundle import Manifest
from evertune.bundle.manifest import FORMAT_VERSION
from evertune.datatypes import DATATYPES, STRINGS
from evertune.errors import InputError
from evertune.tensors import Array, Signature, TensorSpec
from serve.binary_part import BinaryPart, split_body
from serve.headers import JSON_BYTES
from serve.infer_request import InferRequest, RequestReader
from serve.infer_response import ResponseWriter
from serve.reply import Reply
from serve.ticket import Outcome

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
NUMBERS = [dtype for dtype in DATATYPES if dtype != STRINGS]
PAIR = Signature(
    (TensorSpec("text", "int64", (None,)), TensorSpec("price", "float32", ())),
    (TensorSpec("score", "float32", (2,)), TensorSpec("rank", "int64", ())),
)
TEXT = np.array([[1, 2, 3], [4, 5, 6]])
PRICE = np.array([0.5, 1.5], np.float32)

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)
ARRAYS = st.sampled_from(NUMBERS).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))


def tensor(name: str, value: Array, **parameters: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "datatype": DATATYPES[value.dtype.name], "shape": list(value.shape)}
    return entry | ({"parameters": parameters} if parameters else {"data": value.ravel().tolist()})


def binary(name: str, value: Array, **changes: Any) -> dict[str, Any]:
    return tensor(name, value, binary_data_size=len(to_binary(value))) | changes


def read(document: dict[str, Any], tail: bytes | None, signature: Signature = PAIR) -> InferRequest:
    return RequestReader(signature).read(document, binary=None if tail is None else BinaryPart(memoryview(tail)))


@given(ARRAYS)
def test_numbers_come_back_bit_by_bit(value: Array) -> None:
    again = from_binary(memoryview(to_binary(value)), value.dtype.name, list(value.shape), "x")
    assert again.dtype == value.dtype
    assert again.tobytes() == value.tobytes()  # NaN too


@given(st.lists(st.text()))
def test_strings_come_back(texts: list[str]) -> None:
    value = np.array(texts, object)
    assert from_binary(memoryview(to_binary(value)), STRINGS, [len(texts)], "x").tolist() == texts


@given(ARRAYS)
def test_bytes_are_little_endian_and_row_major_however_the_array_lies_in_memory(value: Array) -> None:
    for other in (np.asfortranarray(value), value.astype(value.dtype.newbyteorder(">"))):
        assert to_binary(other) == to_binary(value) == value.astype(value.dtype.newbyteorder("<")).tobytes("C")


@given(st.sampled_from(NUMBERS), st.lists(st.integers(0, 2**70), max_size=3), st.integers(0, 64))
def test_bytes_that_do_not_fill_the_shape_are_refused(dtype: str, shape: list[int], size_bytes: int) -> None:
    data = memoryview(bytes(size_bytes))
    if math.prod(shape) * np.dtype(dtype).itemsize == size_bytes:
        assert from_binary(data, dtype, shape, "x").tolist() == [0] * math.prod(shape)
    else:
        with pytest.raises(InputError, match=f"'x' has {size_bytes} binary bytes"):
            from_binary(data, dtype, shape, "x")


@pytest.mark.parametrize("dtype", NUMBERS)
def test_an_array_is_aligned_wherever_its_bytes_began(dtype: str) -> None:
    value = np.ones(3, dtype)
    for offset in range(9):
        data = memoryview(b"x" * offset + value.tobytes())[offset:]
        again = from_binary(data, dtype, [3], "x")
        assert again.flags.aligned
        assert again.tolist() == value.tolist()


@pytest.mark.parametrize("content", [b"\x02\0\0\0\xff\xfe", b"\xff\xff\xff\xffabc", b"\x01\0\0", b"\x05\0\0\0abcd"])
def test_damaged_strings_are_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="element 0 of tensor 'x'"):
        from_binary(memoryview(content), STRINGS, [1], "x")


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "b", "c"]])
def test_as_many_strings_as_the_shape_takes(texts: list[str]) -> None:
    with pytest.raises(InputError, match=f"{len(texts)} elements"):
        from_binary(memoryview(to_binary(np.array(texts, object))), STRINGS, [2], "x")


@pytest.mark.parametrize("as_binary", [("text", "price"), ("text",), ("price",), ()])
@pytest.mark.parametrize("order", [("text", "price"), ("price", "text")])
def test_json_and_binary_mix_in_any_order(as_binary: tuple[str, ...], order: tuple[str, ...]) -> None:
    values: dict[str, Array] = {"text": TEXT, "price": PRICE}
    tensors = [(binary if name in as_binary else tensor)(name, values[name]) for name in order]
    tail = b"".join(to_binary(values[name]) for name in order if name in as_binary)
    request = read({"inputs": tensors}, tail)
    assert request.rows == 2
    for name, value in values.items():
        assert request.inputs[name].dtype == value.dtype
        assert request.inputs[name].tolist() == value.tolist()


def test_strings_reach_a_model_that_takes_them() -> None:
    signature = Signature((TensorSpec("words", STRINGS, (2,)),), PAIR.outputs)
    words = np.array([["free", "größe"], ["", "\0"]], object)
    assert read({"inputs": [binary("words", words)]}, to_binary(words), signature).inputs["words"].tolist() == (
        words.tolist()
    )
    assert read({"inputs": [tensor("words", words)]}, None, signature).inputs["words"].tolist() == words.tolist()


TAIL = to_binary(TEXT) + to_binary(PRICE)
NAN = to_binary(TEXT) + to_binary(np.array([1, np.nan], np.float32))
BOTH = {"text": binary("text", TEXT), "price": binary("price", PRICE)}
BAD: dict[str, tuple[dict[str, dict[str, Any]], bytes | None, str]] = {
    "no header": ({}, None, "Inference-Header-Content-Length"),
    "a body that was cut short": ({}, TAIL[:-1], "7 bytes are left"),
    "no bytes at all": ({}, b"", "0 bytes are left"),
    "bytes after the last tensor": ({}, TAIL + b"\0", "1 bytes follow"),
    "a size that does not fit the shape": (
        {"text": {"parameters": {"binary_data_size": 40}}},
        TAIL,
        "shape [2, 3] of int64 takes 48",
    ),
    "a size that is negative": ({"text": {"parameters": {"binary_data_size": -1}}}, TAIL, "'-1'"),
    "a size that is a text": ({"text": {"parameters": {"binary_data_size": "48"}}}, TAIL, "'48'"),
    "a size that is true": ({"text": {"parameters": {"binary_data_size": True}}}, TAIL, "'True'"),
    "a size beyond any memory": ({"text": {"parameters": {"binary_data_size": 2**62}}}, TAIL, f"{2**62}"),
    "a shape beyond any memory": ({"text": {"shape": [2**62, 2**62]}}, TAIL, "takes"),
    "no shape": ({"text": {"shape": None}}, TAIL, "'shape'"),
    "a shape with a negative size": ({"text": {"shape": [-2, -3]}}, TAIL, "'shape'"),
    "another shape": ({"price": {"shape": [2, 1]}}, TAIL, "expected ['rows']"),
    "rows of different numbers": ({"text": {"shape": [3, 2]}}, TAIL, "'text': 3"),
    "another datatype": ({"text": {"datatype": "FP64"}}, TAIL, "'FP64', expected 'INT64'"),
    "data besides": ({"text": {"data": [1]}}, TAIL, "either"),
    "NaN": ({}, NAN, "'price' holds NaN"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named(case: str) -> None:
    changes, tail, mentioned = BAD[case]
    document = {"inputs": [entry | changes.get(name, {}) for name, entry in BOTH.items()]}
    with pytest.raises(InputError) as refused:
        read(document, tail)
    assert mentioned in str(refused.value)
    assert refused.value.fix


@pytest.mark.parametrize("zeros", [[0, 2**63], [2**64 - 1, 0]])
def test_an_empty_tensor_of_absurd_shape_is_refused(zeros: list[int]) -> None:
    with pytest.raises(InputError, match="shape"):
        read({"inputs": [BOTH["text"] | {"shape": zeros, "parameters": {"binary_data_size": 0}}]}, b"")


def test_a_byte_that_is_no_bool_is_refused() -> None:
    with pytest.raises(InputError, match="no bool"):
        from_binary(memoryview(b"\0\2"), "bool", [2], "x")


@pytest.mark.parametrize("length", [b"", b"-1", b"+2", b"1e1", b"4", b"9" * 30, b"\xb2", b"2, 2"])
def test_a_length_of_the_json_that_cannot_be_is_named(length: bytes) -> None:
    with pytest.raises(InputError, match="Inference-Header-Content-Length"):
        split_body(b"{} ", {JSON_BYTES: length})


WANTED: list[tuple[dict[str, Any], dict[str, bool] | None]] = [
    ({}, None),
    ({"parameters": {}}, None),
    ({"parameters": {"priority": 1}}, None),
    ({"parameters": {"binary_data_output": False}}, None),
    ({"parameters": {"binary_data_output": True}}, {"score": True, "rank": True}),
    ({"outputs": [{"name": "rank", "parameters": {"binary_data": True}}]}, {"rank": True}),
    ({"outputs": [{"name": "rank"}, {"name": "score"}]}, {"rank": False, "score": False}),
    (
        {
            "parameters": {"binary_data_output": True},
            "outputs": [{"name": "rank", "parameters": {"binary_data": False}}, {"name": "score"}],
        },
        {"rank": False, "score": True},
    ),
]


@pytest.mark.parametrize(("fields", "wanted"), WANTED)
def test_each_output_comes_in_the_form_that_was_asked_for(fields: dict[str, Any], wanted: Any) -> None:
    request = read({"inputs": [tensor("text", TEXT), tensor("price", PRICE)], **fields}, None)
    assert request.outputs == wanted


@pytest.mark.parametrize(
    ("fields", "mentioned"),
    [
        ({"parameters": {"binary_data_output": "yes"}}, "'yes'"),
        ({"parameters": 7}, "'parameters'"),
        ({"outputs": [{"name": "rank", "parameters": {"binary_data": 1}}]}, "'1'"),
        ({"outputs": [{"name": "rank", "parameters": []}]}, "'parameters'"),
        ({"outputs": [{"name": "rank", "parameters": {"classification": 3}}]}, "classification"),
        ({"outputs": [{"name": "rank", "parameters": {"shared_memory_region": "x"}}]}, "shared_memory_region"),
    ],
)
def test_outputs_that_cannot_be_had_are_refused(fields: dict[str, Any], mentioned: str) -> None:
    with pytest.raises(InputError) as refused:
        read({"inputs": [tensor("text", TEXT), tensor("price", PRICE)], **fields}, None)
    assert mentioned in str(refused.value)


def write(wanted: dict[str, bool] | None) -> Reply:
    outputs = {"score": np.array([[0.25, 0.75], [1, 0]], np.float32), "rank": np.array([7, -1])}
    manifest = Manifest(FORMAT_VERSION, "m", "classification", ("a", "b"), PAIR, {}, "fp32", {})
    outcome = Outcome(ID, outputs, np.zeros(2, np.float32))
    return ResponseWriter(manifest).write(InferRequest({}, 2, None, wanted), outcome)


@pytest.mark.parametrize("wanted", [{"score": True, "rank": True}, {"rank": True, "score": False}, {"score": True}])
def test_an_answer_carries_binary_outputs_in_order_behind_its_json(wanted: dict[str, bool]) -> None:
    reply = write(wanted)
    headers = dict(reply.headers)
    length = int(headers[b"inference-header-content-length"])
    assert headers[b"content-type"] == b"application/octet-stream"
    document, tail = orjson.loads(reply.body[:length]), reply.body[length:]
    expected = {"score": [[0.25, 0.75], [1, 0]], "rank": [7, -1]}
    assert [output["name"] for output in document["outputs"]] == list(wanted)
    for output in document["outputs"]:
        if not wanted[output["name"]]:
            assert np.reshape(output["data"], output["shape"]).tolist() == expected[output["name"]]
            continue
        size = output["parameters"]["binary_data_size"]
        dtype = {value: name for name, value in DATATYPES.items()}[output["datatype"]]
        value = np.frombuffer(tail[:size], dtype).reshape(output["shape"])
        assert value.tolist() == expected[output["name"]]
        assert "data" not in output
        tail = tail[size:]
    assert tail == b""


def test_an_answer_without_binary_outputs_is_plain_json() -> None:
    for wanted in (None, {"score": False, "rank": False}):
        reply = write(wanted)
        assert reply.headers == ((b"content-type", b"application/json"),)
        assert orjson.loads(reply.body)["outputs"][1]["data"] == [7, -1]


def test_strings_come_back_from_a_model_that_gives_them() -> None:
    signature = Signature(PAIR.inputs, (TensorSpec("words", STRINGS, (2,)),))
    manifest = Manifest(FORMAT_VERSION, "m", "classification", ("a", "b"), signature, {}, "fp32", {})
    words = np.array([["größe", ""]], object)
    outcome = Outcome(ID, {"words": words}, np.zeros(1, np.float32))
    plain = ResponseWriter(manifest).write(InferRequest({}, 1, None, None), outcome)
    assert orjson.loads(plain.body)["outputs"] == [
        {"name": "words", "datatype": "BYTES", "shape": [1, 2], "data": ["größe", ""]}
    ]
    reply = ResponseWriter(manifest).write(InferRequest({}, 1, None, {"words": True}), outcome)
    assert reply.body.endswith(b"\x07\0\0\0gr\xc3\xb6\xc3\x9fe\0\0\0\0")
