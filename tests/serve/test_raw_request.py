from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow  # noqa: N813  # a module's name

from evertune.errors import InputError, TooLargeError
from evertune.preprocessing import Numbers, Preprocessor, Text
from evertune.tensors import Signature, Tensors, TensorSpec
from serve.multipart import Part
from serve.raw_request import RawReader

OUTPUTS = (TensorSpec("probabilities", "float32", (3,)),)
Read = Callable[[dict[str, Any]], Tensors]


def png(pixel: int) -> bytes:
    file = io.BytesIO()
    pillow.fromarray(np.full((4, 4), pixel, np.uint8)).save(file, "PNG")
    return file.getvalue()


def rows(count: int = 2) -> dict[str, list[Any]]:
    photos = [base64.b64encode(png(pixel)).decode() for pixel in range(count)]
    return {
        "photo": photos,
        "age": [30, None, 7][:count],
        "city": ["Rome", 9, None][:count],
        "note": ["new", "", "x"][:count],
    }


@pytest.fixture
def reader(raw_preprocessor: Preprocessor) -> RawReader:
    signature = Signature(raw_preprocessor.outputs, OUTPUTS)
    return RawReader(raw_preprocessor, signature, max_rows=50, max_tensor_bytes=1_000_000)


@pytest.fixture
def read(reader: RawReader) -> Read:
    return lambda document: reader.tensors(reader.from_json(document))


def test_columns_and_instances_are_what_training_would_make(read: Read, raw_preprocessor: Preprocessor) -> None:
    expected = raw_preprocessor.transform(rows())
    instances = [dict(zip(rows(), row, strict=True)) for row in zip(*rows().values(), strict=True)]
    for found in (read({"inputs": rows()}), read({"instances": instances})):
        assert list(found) == list(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)


def test_parts_are_the_same_rows(reader: RawReader, raw_preprocessor: Preprocessor) -> None:
    sent = [("photo", png(0)), ("photo", png(1)), ("age", b"30"), ("age", b""), ("city", b"Rome"), ("city", b"9"),
            ("note", b"new"), ("note", b"")]  # fmt: skip
    request = reader.from_parts([Part(name, content) for name, content in sent])
    assert reader.is_slow(request)
    for name, value in raw_preprocessor.transform(rows()).items():
        np.testing.assert_array_equal(reader.tensors(request)[name], value)


def test_graph_inputs_may_stand_in_for_their_columns(read: Read) -> None:
    mixed = {key: value for key, value in rows(1).items() if key != "photo"} | {"image": [[[7] * 4] * 4]}
    assert read({"inputs": mixed})["image"].tolist() == [[[7] * 4] * 4]
    tensors = {"image": [[[7] * 4] * 4], "numbers": [[1.5]], "codes": [[2]], "tokens": [[1, 2, 3, 4]]}
    assert {name: value.tolist() for name, value in read({"inputs": tensors}).items()} == tensors


def test_of_one_column_instances_are_bare_values_and_of_one_input_bare_lists() -> None:
    text = Preprocessor((Text.fit({"note": ["a b", "b a"] * 3}, "note", length=2, vocabulary=300),))
    reader = RawReader(text, Signature(text.outputs, OUTPUTS), max_rows=9, max_tensor_bytes=10**6)
    np.testing.assert_array_equal(
        reader.tensors(reader.from_json({"instances": ["a b", "b"]}))["tokens"],
        text.transform({"note": ["a b", "b"]})["tokens"],
    )
    assert reader.tensors(reader.from_json({"instances": [[5, 6]]}))["tokens"].tolist() == [[5, 6]]


def test_inputs_without_a_step_come_as_tensors() -> None:
    number = Preprocessor((Numbers(("age",), (None,), (0.0,), (1.0,)),))
    signature = Signature((*number.outputs, TensorSpec("vector", "float32", (2,))), OUTPUTS)
    reader = RawReader(number, signature, max_rows=9, max_tensor_bytes=10**6)
    found = reader.tensors(reader.from_json({"inputs": {"age": [3], "vector": [[1, 2]]}}))
    assert {name: value.tolist() for name, value in found.items()} == {"numbers": [[3]], "vector": [[1, 2]]}
    with pytest.raises(InputError, match=r"missing \['vector'\]"):
        reader.tensors(reader.from_json({"inputs": {"age": [3]}}))


@pytest.mark.parametrize(
    ("document", "mentioned"),
    [
        ({}, "either 'inputs' or 'instances'"),
        ({"inputs": [], "instances": []}, "either 'inputs' or 'instances'"),
        ({"inputs": [1]}, "'inputs' is not an object"),
        ({"inputs": {}}, "missing"),
        ({"inputs": {**rows(), "hat": [1, 2]}}, "unknown column 'hat'"),
        ({"inputs": {**rows(), "age": 3}}, "column 'age' is not a list"),
        ({"inputs": {**rows(), "age": [1]}}, "'age': 1"),
        ({"inputs": {**rows(), "age": [1, "2"]}}, "column 'age', row 1: '2' is no number"),
        ({"inputs": {**rows(), "city": [1, 2.5]}}, "column 'city', row 1: 2.5"),
        ({"inputs": {**rows(), "note": ["a", None]}}, "column 'note', row 1: None is no text"),
        ({"inputs": {**rows(), "photo": ["", "x y"]}}, "column 'photo', row 0"),
        ({"inputs": {key: value for key, value in rows().items() if key != "note"}}, "column 'note' is missing"),
        ({"inputs": {**rows(), "tokens": [[1, 2, 3, 4]] * 2}}, "['note'] come beside"),
        ({"instances": {}}, "'instances' is not a list"),
        ({"instances": ["a"]}, "an instance is no object"),
        ({"instances": [{"age": 1}, {"age": 1, "note": ""}]}, "instance 1 has other fields"),
        ({"instances": [{"age": 1}, 3]}, "instance 1 has other fields"),
        ({"instances": []}, "missing"),
    ],
)
def test_what_is_wrong_is_named(read: Read, document: dict[str, Any], mentioned: str) -> None:
    with pytest.raises(InputError) as refused:
        read(document)
    assert mentioned in str(refused.value)


@pytest.mark.parametrize(
    ("part", "mentioned"),
    [
        (Part("hat", b"1"), "unknown column 'hat'"),
        (Part("age", b"two"), "column 'age', row 0: 'two' is not a number"),
        (Part("age", b"[1]"), "column 'age', row 0"),
        (Part("note", b"\xff"), "is not text in UTF-8"),
        (Part("photo", b"\xff"), "column 'photo', row 0"),
    ],
)
def test_a_wrong_part_is_named(reader: RawReader, part: Part, mentioned: str) -> None:
    rest = {"photo": png(0), "age": b"1", "city": b"Oslo", "note": b""}
    parts = [Part(name, content) for name, content in rest.items() if name != part.name]
    with pytest.raises(InputError) as refused:
        reader.tensors(reader.from_parts([*parts, part]))
    assert mentioned in str(refused.value)


def test_rows_are_limited_before_anything_is_made_of_them(raw_preprocessor: Preprocessor) -> None:
    signature = Signature(raw_preprocessor.outputs, OUTPUTS)
    row_bytes = 16 + 4 + 4 + 4 * 4
    for limits in ({"max_rows": 2, "max_tensor_bytes": 10**9}, {"max_rows": 10**9, "max_tensor_bytes": 2 * row_bytes}):
        reader = RawReader(raw_preprocessor, signature, **limits)
        assert reader.from_json({"inputs": rows(2)})
        with pytest.raises(TooLargeError, match="at most 2 rows"):
            reader.from_json({"inputs": rows(3)})
