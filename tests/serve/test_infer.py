from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from evertune.bundle import Manifest
from evertune.bundle.manifest import FORMAT_VERSION
from evertune.datatypes import DATATYPES, STRINGS
from evertune.errors import InputError
from evertune.tensors import Signature, Tensors, TensorSpec
from serve.infer_request import InferRequest, RequestReader
from serve.infer_response import ResponseWriter, metadata
from serve.ticket import Outcome

IMAGE = Signature((TensorSpec("image", "uint8", (2, 2)),), (TensorSpec("probabilities", "float32", (3,)),))
PAIR = Signature(
    (TensorSpec("text", "int64", (None,)), TensorSpec("price", "float32", ())),
    (TensorSpec("score", "float32", (2,)), TensorSpec('odd "name"', "int64", ())),
)
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def tensor(name: str, datatype: str, shape: list[Any], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def image(**changes: Any) -> dict[str, Any]:
    return tensor("image", "UINT8", [1, 2, 2], [1, 2, 3, 4]) | changes


def pair(**changes: Any) -> dict[str, Any]:
    text, price = tensor("text", "INT64", [2, 3], [1, 2, 3, 4, 5, 6]), tensor("price", "FP32", [2], [0.5, 1])
    return {"inputs": [text | changes.get("text", {}), price | changes.get("price", {})]}


def manifest(signature: Signature) -> Manifest:
    return Manifest(FORMAT_VERSION, 'the "model"', "classification", ("a", "b", "c"), signature, {}, "fp32", {})


def test_one_row_reads_the_same_the_short_way_and_the_long_one() -> None:
    reader = RequestReader(IMAGE)
    short = reader.read({"inputs": [image()], "id": "mine"}, booleans=False)
    long = reader.read({"inputs": [image()], "id": "mine", "outputs": [{"name": "probabilities"}]})
    for request in (short, long):
        assert request.inputs["image"].tolist() == [[[1, 2], [3, 4]]]
        assert request.inputs["image"].dtype == np.uint8
        assert (request.rows, request.client_id) == (1, "mine")
    assert (short.outputs, long.outputs) == (None, {"probabilities": False})


def test_nested_data_are_taken_as_flat_ones() -> None:
    request = RequestReader(IMAGE).read({"inputs": [image(shape=[2, 2, 2], data=[[[1, 2], [3, 4]]] * 2)]})
    assert request.rows == 2
    assert request.inputs["image"].tolist() == [[[1, 2], [3, 4]]] * 2


def test_several_inputs_come_in_any_order_with_any_length_where_the_signature_leaves_it_open() -> None:
    document = pair()
    request = RequestReader(PAIR).read({"inputs": document["inputs"][::-1]})
    assert request.rows == 2
    assert request.inputs["text"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert request.inputs["price"].tolist() == [0.5, 1.0]


@pytest.mark.parametrize("dtype", DATATYPES)
def test_every_datatype_of_the_protocol_that_we_list(dtype: str) -> None:
    signature = Signature((TensorSpec("x", dtype, (2,)),), IMAGE.outputs)
    others: dict[str, list[Any]] = {"bool": [True, False], STRINGS: ["a", "é"]}
    data = others.get(dtype, [1, 0])
    request = RequestReader(signature).read({"inputs": [tensor("x", DATATYPES[dtype], [1, 2], data)]})
    assert request.inputs["x"].dtype == np.dtype(dtype)
    assert request.inputs["x"].tolist() == [data]


BAD: dict[str, tuple[Signature, dict[str, Any], str]] = {
    "a boolean among numbers": (IMAGE, {"inputs": [image(data=[1, 2, 3, True])]}, "'True'"),
    "rows of different numbers": (PAIR, pair(price={"shape": [3], "data": [1, 2, 3]}), "'price': 3"),
    "one input of two": (PAIR, {"inputs": pair()["inputs"][:1]}, "price"),
    "infinity by overflow": (PAIR, pair(price={"data": [1e39, 1]}), "infinity"),
    "a shape as a text": (IMAGE, {"inputs": [image(shape="[1, 2, 2]")]}, "shape"),
    "a shape with a boolean": (IMAGE, {"inputs": [image(shape=[True, 2, 2], data=[1, 2, 3])]}, "shape"),
    "a negative size": (IMAGE, {"inputs": [image(shape=[-1, 2, 2])]}, "shape"),
    "a size beyond memory": (IMAGE, {"inputs": [image(shape=[2**63, 2, 2])]}, "4 values"),
    "sizes whose product overflows": (IMAGE, {"inputs": [image(shape=[2**33, 2**33, 2])]}, "4 values"),
    "a datatype that is none": (IMAGE, {"inputs": [image(datatype=None)]}, "None"),
    "a name that is no text": (IMAGE, {"inputs": [image(name=["image"])]}, "unknown tensor"),
    "an id that is no text": (IMAGE, {"inputs": [image()], "id": 7}, "'id'"),
    "a tensor that is none": (IMAGE, {"inputs": [1]}, "inputs"),
    "an object of tensors": (IMAGE, {"inputs": {"image": [1]}}, "inputs"),
    "outputs that are no list": (IMAGE, {"inputs": [image()], "outputs": 5}, "5"),
    "an output without a name": (IMAGE, {"inputs": [image()], "outputs": [{}]}, "None"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named(case: str) -> None:
    signature, document, mentioned = BAD[case]
    with pytest.raises(InputError) as refused:
        RequestReader(signature).read(document)
    assert mentioned in str(refused.value)
    assert refused.value.fix


def write(outputs: Tensors, rows: int, wanted: dict[str, bool] | None = None, client_id: str | None = None) -> Any:
    request = InferRequest({}, rows, client_id, wanted)
    reply = ResponseWriter(manifest(PAIR)).write(request, Outcome(ID, outputs, np.zeros(rows, np.float32)))
    return orjson.loads(reply.body)


def test_an_answer_has_all_outputs_and_an_id_a_row() -> None:
    outputs = {"score": np.array([[0.25, 0.75]] * 3, np.float32), 'odd "name"': np.array([1, 2**62, -1])}
    answer = write(outputs, 3)
    assert (answer["model_name"], answer["id"]) == ('the "model"', ID)
    assert answer["parameters"] == {
        "digest": manifest(PAIR).digest,
        "request_id": ID,
        "prediction_ids": [f"{ID}:0", f"{ID}:1", f"{ID}:2"],
    }
    assert answer["outputs"] == [
        {"name": "score", "datatype": "FP32", "shape": [3, 2], "data": [0.25, 0.75] * 3},
        {"name": 'odd "name"', "datatype": "INT64", "shape": [3], "data": [1, 2**62, -1]},
    ]


def test_an_answer_has_the_outputs_that_were_asked_for_and_the_clients_own_id() -> None:
    outputs = {"score": np.array([[0.25, 0.75]], np.float32), 'odd "name"': np.array([1])}
    answer = write(outputs, 1, {'odd "name"': False}, 'say "hi"\n')
    assert [output["name"] for output in answer["outputs"]] == ['odd "name"']
    assert answer["id"] == 'say "hi"\n'
    assert answer["parameters"]["request_id"] == ID


def test_metadata_show_open_sizes_as_minus_one(tmp_path: Path) -> None:
    assert metadata(manifest(PAIR))["inputs"] == [
        {"name": "text", "datatype": "INT64", "shape": [-1, -1]},
        {"name": "price", "datatype": "FP32", "shape": [-1]},
    ]
