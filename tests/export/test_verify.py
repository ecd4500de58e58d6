"""Files that exporters write without an exception, and that must not ship."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from evertune.errors import ExportError
from evertune.tensors import Signature
from export.graph import finish
from export.verify import check_outputs, verify

GraphMaker = Callable[..., bytes]


def test_a_sound_model_loads_and_runs(linear: GraphMaker, signature: Signature) -> None:
    session = verify(linear(), signature)
    outputs = session.run({"x": np.zeros((5, 4), np.float32)})
    check_outputs(outputs, signature, "classification")
    assert outputs["probabilities"].shape == (5, 3)


def test_a_batch_axis_fixed_at_one_is_refused(linear: GraphMaker, signature: Signature) -> None:
    with pytest.raises(ExportError, match=r"float32\[1, 4\].*The number of rows is fixed"):
        verify(linear(batch=1), signature)


def test_weights_that_became_inputs_are_refused(linear: GraphMaker, signature: Signature) -> None:
    with pytest.raises(ExportError, match="Weights became inputs that nobody feeds") as caught:
        verify(linear(unfed=True), signature)
    assert "b: float32[3]" in caught.value.details["found"]


@pytest.mark.parametrize("operator", ["Erfc", "DiscretizeBuckets"])
def test_an_operator_that_onnx_does_not_know_is_refused(
    linear: GraphMaker, signature: Signature, operator: str
) -> None:
    with pytest.raises(ExportError, match=f"not valid ONNX.*{operator}"):
        verify(linear(operator=operator), signature)


def test_bytes_that_are_no_model_are_refused(linear: GraphMaker, signature: Signature) -> None:
    for content in (b"", b"not a model", linear()[:-40]):
        with pytest.raises(ExportError):
            verify(content, signature)


@pytest.mark.parametrize("wrong", [{"dtype": TensorProto.DOUBLE}, {"name": "y"}, {"dtype": TensorProto.UINT8}])
def test_inputs_other_than_declared_are_refused(
    linear: GraphMaker, signature: Signature, wrong: dict[str, object]
) -> None:
    with pytest.raises(ExportError, match=r"inputs are .* the task declares x: float32\[any, 4\]"):
        verify(linear(**wrong), signature)


def test_another_number_of_classes_is_refused(linear: GraphMaker, signature: Signature) -> None:
    with pytest.raises(ExportError, match=r"Dense\(3, activation=\"softmax\"\)"):
        verify(linear(classes=4), signature)
    with pytest.raises(ExportError, match=r"gives \[4\] values a row, the task has 3 labels"):
        check_outputs({"probabilities": np.full((2, 4), 0.25, np.float32)}, signature, "classification")


def test_logits_are_refused_and_softmax_is_named(linear: GraphMaker, signature: Signature) -> None:
    session = verify(linear(softmax=False), signature)
    with pytest.raises(ExportError, match=r"not probabilities.*Add softmax"):
        check_outputs(session.run({"x": np.ones((2, 4), np.float32)}), signature, "classification")


def test_negative_values_that_sum_to_one_are_refused(signature: Signature) -> None:
    with pytest.raises(ExportError, match="not probabilities"):
        check_outputs({"probabilities": np.array([[1.5, -0.5, 0.0]], np.float32)}, signature, "classification")


def test_nan_is_refused(signature: Signature) -> None:
    with pytest.raises(ExportError, match="NaN or infinity for 1 of 2 rows"):
        check_outputs({"probabilities": np.array([[np.nan, 0, 1], [1, 0, 0]], np.float32)}, signature, "classification")


def test_weights_above_what_one_file_holds_are_refused(linear: GraphMaker, signature: Signature) -> None:
    model = onnx.ModelProto.FromString(linear())
    with pytest.raises(ExportError, match="the model has 60 bytes of weights, one ONNX file holds 59"):
        finish(model, signature, most_bytes=59)
    assert finish(model, signature, most_bytes=60)
