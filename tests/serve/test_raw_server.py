"""One real `bentoml serve` with two models, one of which takes raw columns."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow  # noqa: N813  # a module's name

from evertune.bundle import BundleStore
from evertune.ledger import Ledger
from evertune.preprocessing import Preprocessor

Server = Any  # of conftest.py


def png(pixel: int = 9) -> bytes:
    file = io.BytesIO()
    pillow.fromarray(np.full((4, 4), pixel, np.uint8)).save(file, "PNG")
    return file.getvalue()


def row(**changes: Any) -> dict[str, Any]:
    return {"photo": base64.b64encode(png()).decode(), "age": 31, "city": "Rome", "note": "worn", **changes}


def test_it_is_ready_when_every_model_of_the_settings_is(raw_server: Server) -> None:
    for response in raw_server.before_champion.values():
        assert response.status_code == 503
        assert "wardrobe" in response.json()["error"]
    assert [model["name"] for model in raw_server.get("/v2/models").json()["models"]] == ["shoes", "wardrobe"]


def test_raw_rows_get_the_answers_of_the_tensors_that_training_makes(
    raw_server: Server, raw_preprocessor: Preprocessor
) -> None:
    answer = raw_server.post("/predict", {"instances": [row(), row(age=None, city="Paris", note="")]}).json()
    columns = {name: [row()[name], row(age=None, city="Paris", note="")[name]] for name in row()}
    tensors = raw_preprocessor.transform(columns)
    bundle = BundleStore(raw_server.project.bundle_url).get(answer["digest"])
    expected = bundle.session().run(tensors)["probabilities"]
    assert answer["model"] == "wardrobe"
    assert [each["confidence"] for each in answer["predictions"]] == pytest.approx(expected.max(axis=1), abs=1e-6)
    with Ledger.open(raw_server.project.ledger_url) as ledger:
        request_id = answer["predictions"][0]["id"].partition(":")[0]
        raw_server.wait(lambda: bool(ledger.predictions.known([request_id])))
        identifier = answer["predictions"][0]["id"]
        raw_server.post("/labels", {"labels": [{"id": identifier, "label": "boot"}]})
        kept = ledger.labels.labelled_rows("wardrobe")
    place = kept.ids.index(identifier)
    for name, value in tensors.items():
        np.testing.assert_array_equal(kept.inputs[name][place], value[0])


def test_parts_and_json_get_the_same_answer(raw_server: Server) -> None:
    spoken = raw_server.post("/predict/wardrobe", {"instances": [row()]}).json()
    sent = raw_server.client.post(
        raw_server.url + "/predict/wardrobe",
        files={"photo": ("a.png", png())},
        data={"age": "31", "city": "Rome", "note": "worn"},
        headers=raw_server.headers,
    ).json()
    assert sent["predictions"][0]["confidence"] == spoken["predictions"][0]["confidence"]
    assert sent["predictions"][0]["label"] == spoken["predictions"][0]["label"]


def test_each_model_has_its_own_road(raw_server: Server) -> None:
    tensors = {"inputs": {"image": [[[1] * 4] * 4]}}
    assert raw_server.post("/predict/shoes", tensors).json()["model"] == "shoes"
    assert raw_server.post("/predict", {**tensors, "model": "shoes"}).json()["model"] == "shoes"
    assert raw_server.infer().json()["model_name"] == "shoes"
    assert raw_server.post("/predict/hats", tensors).status_code == 404
    for model in ("shoes", "wardrobe"):
        assert raw_server.get(f"/v2/models/{model}/ready").json()["ready"] is True
    assert [each["type"] for each in raw_server.get("/v2/models/wardrobe").json()["columns"]] == [
        "image", "number", "category", "text",
    ]  # fmt: skip
    assert raw_server.get("/v2/models/shoes").json()["columns"] == []
    raw_server.post("/predict", {"instances": [row()]})
    for model in ("shoes", "wardrobe"):
        raw_server.wait(lambda model=model: raw_server.counted("evertune_predictions_total", model=model) > 0)


BAD: dict[str, tuple[str, Any, int, str]] = {
    "a wrong value": ("/predict", {"instances": [row(), row(age="old")]}, 400, "column 'age', row 1"),
    "an unknown column": ("/predict", {"instances": [row(hat=1)]}, 400, "unknown column 'hat'"),
    "a missing column": ("/predict", {"inputs": {"age": [1]}}, 400, "column 'city', 'note', 'photo' is missing"),
    "no image": ("/predict", {"instances": [row(photo="aGVsbG8=")]}, 400, "column 'photo', row 0"),
    "NaN": ("/predict", json.dumps({"instances": [row(age=float("nan"))]}).encode(), 400, "NaN"),
    "half a character": ("/predict", b'{"inputs": {"note": ["\\ud800"]}}', 400, "JSON"),
    "many rows": ("/predict", {"inputs": {"age": [1] * 101}}, 413, "at most 100 rows"),
    "many bytes": ("/predict", {"instances": [row(note="x" * 300_000)]}, 413, "200000 bytes"),
    "tensors of another shape": ("/predict", {"inputs": {"codes": [[1, 2]]}}, 400, "codes"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_raw_input_gets_an_error_that_names_it(raw_server: Server, case: str) -> None:
    path, document, status, mentioned = BAD[case]
    if isinstance(document, bytes):
        response = raw_server.client.post(raw_server.url + path, content=document, headers=raw_server.headers)
    else:
        response = raw_server.post(path, document)
    assert response.status_code == status, response.text
    assert mentioned in response.json()["error"] + response.json().get("fix", "")


def test_parts_are_refused_where_they_should_be(raw_server: Server) -> None:
    def send(path: str, **parts: Any) -> Any:
        files = {name: (None, content) for name, content in parts.items()}
        return raw_server.client.post(raw_server.url + path, files=files, headers=raw_server.headers)

    assert "tensors only" in send("/predict/shoes", image=b"1").json()["error"]
    assert send("/predict/hats", image=b"1").status_code == 404
    assert "unknown column 'hat'" in send("/predict", hat=b"1").json()["error"]
    assert send("/predict", note=b"x" * 300_000).status_code == 413
    response = raw_server.client.post(
        raw_server.url + "/predict",
        content=b"--b\r\n",
        headers={**raw_server.headers, "Content-Type": "multipart/form-data; boundary=b"},
    )
    assert response.status_code == 400
    without_key = raw_server.client.post(raw_server.url + "/predict", files={"note": (None, b"x")})
    assert without_key.status_code == 401


def test_the_document_describes_the_real_inputs_and_its_examples_work(raw_server: Server) -> None:
    document = raw_server.get("/openapi.json").json()
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    properties = content["application/json"]["schema"]["properties"]["inputs"]["properties"]
    assert {"photo", "age", "city", "note", "image", "numbers", "codes", "tokens"} == set(properties)
    assert properties["age"]["items"] == {"type": "number", "nullable": True}
    assert content["multipart/form-data"]["schema"]["properties"]["photo"]["format"] == "binary"
    assert "multipart/form-data" not in document["paths"]["/predict/shoes"]["post"]["requestBody"]["content"]
    for path in ("/predict", "/predict/wardrobe", "/predict/shoes"):
        example = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert raw_server.post(path, example).status_code == 200, path
