"""Binary tensors between the client and the server's own reader and writer."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evertune.bundle import Manifest
from evertune.bundle.manifest import FORMAT_VERSION
from evertune.client.errors import RemoteError
from evertune.client.inference import Inference, infer_body, read_inference
from evertune.datatypes import DATATYPES, STRINGS
from evertune.tensors import Array, Signature, TensorSpec
from serve.binary_part import split_body
from serve.body import parse_object
from serve.headers import JSON_BYTES
from serve.infer_request import InferRequest, RequestReader
from serve.infer_response import ResponseWriter
from serve.ticket import Outcome

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


def arrays(dtype: str) -> st.SearchStrategy[Array]:
    if dtype == STRINGS:
        return hnp.arrays(object, SHAPES, elements=st.text())
    numbers = hnp.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False)
    return hnp.arrays(dtype, SHAPES, elements=numbers)


ARRAYS = st.sampled_from(list(DATATYPES)).flatmap(arrays)


def send(inputs: dict[str, Array], signature: Signature, outputs: list[str] | None = None) -> InferRequest:
    """What the server reads of what the client sends."""
    body, length = infer_body(inputs, outputs, ID)
    text, binary = split_body(body, {JSON_BYTES: str(length).encode()})
    return RequestReader(signature).read(parse_object(text), binary=binary)


def answer(signature: Signature, request: InferRequest, outputs: dict[str, Array]) -> httpx.Response:
    manifest = Manifest(FORMAT_VERSION, "m", "classification", ("a", "b"), signature, {}, "fp32", {})
    reply = ResponseWriter(manifest).write(request, Outcome(ID, outputs, np.zeros(request.rows, np.float32)))
    return httpx.Response(
        200, headers=list(reply.headers), content=reply.body, request=httpx.Request("POST", "http://x")
    )


def spec(name: str, value: Array) -> TensorSpec:
    return TensorSpec(name, value.dtype.name, value.shape[1:])


@given(ARRAYS, ARRAYS, st.booleans())
def test_arrays_come_through_in_both_directions(value: Array, result: Array, by_name: bool) -> None:
    signature = Signature((spec("x", value),), (spec("y", result),))
    request = send({"x": value}, signature, ["y"] if by_name else None)
    assert request.inputs["x"].dtype == value.dtype
    np.testing.assert_array_equal(request.inputs["x"], value)
    assert request.client_id == ID
    inference = read_inference(answer(signature, request, {"y": result}))
    assert inference.outputs["y"].dtype == result.dtype
    np.testing.assert_array_equal(inference.outputs["y"], result)
    assert inference.ids == tuple(f"{ID}:{row}" for row in range(len(value)))


def test_arrays_of_any_layout_and_lists_are_taken() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    signature = Signature((TensorSpec("x", "uint8", (4, 3)),), (TensorSpec("y", "float32", ()),))
    assert send({"x": image.transpose(0, 2, 1)}, signature).inputs["x"].tolist() == image.transpose(0, 2, 1).tolist()
    words = Signature((TensorSpec("x", STRINGS, ()),), signature.outputs)
    texts: Any = ["größe", "b"]
    for value in (texts, np.array(texts), np.array(texts, object)):
        assert send({"x": value}, words).inputs["x"].tolist() == texts


def test_outputs_in_json_are_read_too() -> None:
    signature = Signature(
        (TensorSpec("x", "uint8", ()),), (TensorSpec("y", "float32", (2,)), TensorSpec("z", "int8", ()))
    )
    request = InferRequest({}, 1, None, {"y": False, "z": True})
    outputs: dict[str, Array] = {"y": np.array([[0.25, 0.75]], np.float32), "z": np.array([-1], np.int8)}
    inference = read_inference(answer(signature, request, outputs))
    assert isinstance(inference, Inference)
    assert {name: value.tolist() for name, value in inference.outputs.items()} == {"y": [[0.25, 0.75]], "z": [-1]}


@given(st.data())
def test_a_damaged_answer_is_told_so(data: st.DataObject) -> None:
    signature = Signature((TensorSpec("x", "uint8", ()),), (TensorSpec("y", "float32", (2,)),))
    request = InferRequest({}, 1, None, {"y": True})
    whole = answer(signature, request, {"y": np.array([[0.25, 0.75]], np.float32)})
    end = data.draw(st.integers(0, len(whole.content) - 1))
    cut = httpx.Response(200, headers=whole.headers, content=whole.content[:end], request=whole.request)
    with pytest.raises(RemoteError, match="not understood"):
        read_inference(cut)
