from __future__ import annotations

import json

import numpy as np
import pytest

from evertune.errors import InputError
from evertune.tensors import Array, Signature, TensorSpec

IMAGE = TensorSpec("image", "uint8", (2, 3))
TEXT = TensorSpec("text", "float32", (None,))
SIGNATURE = Signature((IMAGE, TEXT), (TensorSpec("probabilities", "float32", (2,)),))


def good(rows: int = 2) -> dict[str, Array]:
    return {"image": np.zeros((rows, 2, 3), np.uint8), "text": np.zeros((rows, 7), np.float32)}


def test_whole_rows_pass_and_are_counted() -> None:
    assert SIGNATURE.check_inputs(good(5)) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": np.zeros((2, 2, 3), np.int64)}, r"'image' has dtype int64, expected uint8.*Send uint8"),
        ({"image": np.zeros((2, 3, 2), np.uint8)}, r"shape \[2, 3, 2\], expected \['rows', 2, 3\]"),
        ({"image": np.zeros((2, 3), np.uint8)}, r"shape \[2, 3\]"),
        ({"image": np.zeros((), np.uint8)}, r"shape \[\]"),
        ({"text": np.full((2, 1), np.nan, np.float32)}, "'text' holds NaN or infinity"),
        ({"text": np.full((2, 1), -np.inf, np.float32)}, "'text' holds NaN or infinity"),
        ({"text": np.zeros((3, 1), np.float32)}, "inputs have {'image': 2, 'text': 3} rows"),
        ({"sound": np.zeros(2, np.uint8)}, r"missing \[\], unknown \['sound'\]"),
    ],
)
def test_what_is_wrong_with_an_input_is_named(changes: dict[str, Array], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SIGNATURE.check_inputs({**good(), **changes})


def test_missing_inputs_and_empty_batches_are_named() -> None:
    with pytest.raises(InputError, match=r"missing \['image', 'text'\], unknown \[\]"):
        SIGNATURE.check_inputs({})
    with pytest.raises(InputError, match="rows"):
        SIGNATURE.check_inputs(good(0))


def test_a_signature_survives_json() -> None:
    assert Signature.from_json(json.loads(json.dumps(SIGNATURE.to_json()))) == SIGNATURE


def test_nan_is_allowed_where_values_may_be_missing_and_infinity_never_is() -> None:
    gaps = TensorSpec("x", "float32", (2,), missing=True)
    gaps.check(np.array([[1, np.nan]], np.float32))
    with pytest.raises(InputError, match="'x' holds infinity"):
        gaps.check(np.array([[np.nan, np.inf]], np.float32))
    assert TensorSpec.from_json(gaps.to_json()) == gaps
    plain = TensorSpec("x", "float32", (2,))
    assert plain.to_json() == {"name": "x", "dtype": "float32", "shape": [2]}  # as in bundles sealed before
