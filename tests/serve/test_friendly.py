from __future__ import annotations

from typing import Any

import pytest

from evertune.errors import InputError
from evertune.tensors import Signature, TensorSpec
from serve.friendly import read_inputs

OUTPUTS = (TensorSpec("probabilities", "float32", (3,)),)
ONE = Signature((TensorSpec("point", "float32", (2,)),), OUTPUTS)
TWO = Signature((TensorSpec("size", "int32", ()), TensorSpec("color", "uint8", (3,))), OUTPUTS)


def test_columns_by_name() -> None:
    inputs = read_inputs({"inputs": {"size": [4, 5], "color": [[1, 2, 3], [4, 5, 6]]}}, TWO)
    assert inputs["size"].tolist() == [4, 5]
    assert inputs["color"].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_an_instance_is_the_value_where_there_is_one_input_or_an_object() -> None:
    assert read_inputs({"instances": [[1, 2], [3, 4]]}, ONE)["point"].tolist() == [[1, 2], [3, 4]]
    assert read_inputs({"instances": [{"point": [1, 2]}]}, ONE)["point"].tolist() == [[1, 2]]
    inputs = read_inputs({"instances": [{"size": 4, "color": [1, 2, 3]}, {"color": [4, 5, 6], "size": 5}]}, TWO)
    assert inputs["size"].tolist() == [4, 5]
    assert inputs["color"].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("signature", "document", "mentioned"),
    [
        (ONE, {}, "either 'inputs' or 'instances'"),
        (ONE, {"inputs": [[1, 2]]}, "'inputs' is not an object"),
        (ONE, {"instances": {"point": [1, 2]}}, "'instances' is not a list"),
        (ONE, {"instances": []}, "has shape [0]"),
        (ONE, {"instances": [[1, 2], {"point": [1, 2]}]}, "exactly ['point']"),
        (ONE, {"instances": [[1, True]]}, "'True'"),
        (ONE, {"instances": [[1, "2"]]}, "'2'"),
        (ONE, {"instances": [[1, 2], [3]]}, "differ in length"),
        (ONE, {"instances": [1, 2]}, "expected ['rows', 2]"),
        (ONE, {"instances": [[1, 1e39]]}, "infinity"),
        (TWO, {"instances": [[4, [1, 2, 3]]]}, "exactly ['size', 'color']"),
        (TWO, {"instances": [{"size": 4}]}, "exactly ['size', 'color']"),
        (TWO, {"instances": [{"size": 4, "color": [1, 2, 3], "hat": 1}]}, "exactly ['size', 'color']"),
        (TWO, {"inputs": {"size": [4], "color": [[1, 2, 3]] * 2}}, "'color': 2"),
        (TWO, {"inputs": {"size": [4.0], "color": [[1, 2, 3]]}}, "'4.0'"),
        (TWO, {"inputs": {"size": [4], "color": [[1, 2, 3]], "hat": [1]}}, "unknown ['hat']"),
    ],
)
def test_what_is_wrong_is_named(signature: Signature, document: dict[str, Any], mentioned: str) -> None:
    with pytest.raises(InputError) as refused:
        read_inputs(document, signature)
    assert mentioned in str(refused.value)
