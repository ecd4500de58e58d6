from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from evertune.errors import InputError, TaskError
from evertune.preprocessing import Categories, Image, Numbers, Preprocessor, Text
from evertune.tensors import TensorSpec

ROWS: dict[str, list[Any]] = {
    "wind": [3.0, 5.0, None, 4.5] * 5,
    "city": ["Oslo", "Rome", None, 7] * 5,
    "note": ["wet and cold", "fine", "", "wet"] * 5,
}
ALL = Preprocessor(
    (
        Numbers.fit(ROWS, ["wind"], missing="mean"),
        Categories.fit(ROWS, ["city"]),
        Text.fit(ROWS, "note", length=5, vocabulary=300),
        Image("photo", 4, 4),
    )
)
WITHOUT_PHOTO = Preprocessor(ALL.steps[:3])


def test_training_and_serving_make_the_same_bytes_of_the_same_rows() -> None:
    trained = WITHOUT_PHOTO.transform(ROWS)
    request = json.loads(json.dumps(ROWS))  # as a client sends them
    served = Preprocessor.from_json(json.loads(json.dumps(WITHOUT_PHOTO.to_json()))).transform(request)
    assert list(trained) == list(served) == ["numbers", "categories", "tokens"]
    for name, value in trained.items():
        assert (value.dtype, value.shape, value.tobytes()) == (
            served[name].dtype, served[name].shape, served[name].tobytes(),
        )  # fmt: skip


def test_columns_and_outputs_are_known() -> None:
    assert [(column.name, column.type) for column in ALL.columns] == [
        ("wind", "number"), ("city", "category"), ("note", "text"), ("photo", "image"),
    ]  # fmt: skip
    assert ALL.outputs[3] == TensorSpec("image", "uint8", (4, 4, 3))
    assert Preprocessor.from_json(ALL.to_json()) == ALL


def test_a_missing_column_and_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="column 'city' is missing"):
        WITHOUT_PHOTO.transform({"wind": [1], "note": [""]})
    with pytest.raises(InputError, match="'city': 2"):
        WITHOUT_PHOTO.transform({"wind": [1], "note": [""], "city": ["a", "b"]})
    with pytest.raises(InputError, match="at least one row"):
        WITHOUT_PHOTO.transform({"wind": [], "note": [], "city": []})


def test_what_need_not_be_made_needs_no_columns() -> None:
    found = WITHOUT_PHOTO.transform({"wind": [1]}, without={"categories", "tokens"})
    np.testing.assert_array_equal(found["numbers"], [[1]])
    assert list(found) == ["numbers"]


def test_two_meanings_of_one_name_are_refused() -> None:
    step = Numbers.fit(ROWS, ["wind"], missing="mean")
    with pytest.raises(ValueError, match="one input"):
        Preprocessor((step, step))
    with pytest.raises(ValueError, match="two types"):
        Preprocessor((step, Categories(("wind",), (("a",),))))
    with pytest.raises(ValueError, match="raw column and an input"):
        Preprocessor((Image("image", 4, 4),))


def test_a_task_that_declares_other_inputs_is_told_so() -> None:
    ALL.check([*ALL.outputs, TensorSpec("more", "float32", (2,))])
    with pytest.raises(TaskError, match="tokens"):
        ALL.check([*ALL.outputs[:2], TensorSpec("tokens", "int64", (5,)), ALL.outputs[3]])


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 2},
        {"more": 1},
        {"steps": []},
        {"steps": [{"step": "shell", "command": "rm"}]},
        {"steps": [{"step": "numbers"}]},
        {"steps": [{**ALL.to_json()["steps"][0], "more": 1}]},
        {"steps": [{**ALL.to_json()["steps"][3], "more": 1}]},
        {"steps": ["numbers"]},
        {"steps": 3},
    ],
)
def test_forged_data_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Preprocessor.from_json({**ALL.to_json(), **change})
