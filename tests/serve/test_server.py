"""One real `bentoml serve` with two workers, seen from outside."""

from __future__ import annotations

import asyncio
import copy
import gzip
import http.client
import json
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from evertune.ids import new_request_id
from evertune.keys import Keyring
from evertune.ledger import Ledger

Server = Any  # of conftest.py
INFER = "/v2/models/shoes/infer"
GOOD: dict[str, Any] = {"inputs": [{"name": "image", "shape": [1, 4, 4], "datatype": "UINT8", "data": [1] * 16}]}


def changed(**fields: Any) -> dict[str, Any]:
    document = copy.deepcopy(GOOD)
    document["inputs"][0].update(fields)
    return document


def test_without_a_champion_it_is_live_and_says_how_to_get_one(server: Server) -> None:
    before = server.before_champion
    assert before["live"].status_code == 200
    for name in ("ready", "infer", "predict"):
        assert before[name].status_code == 503
        assert before[name].json()["code"] == "not_ready"
        assert "evertune tune" in before[name].json()["fix"]
        assert before[name].headers["Retry-After"] == "1"
    assert before["openapi"].status_code == 200


def test_infer_follows_the_open_inference_protocol(server: Server) -> None:
    response = server.post(INFER, {**GOOD, "id": "mine"})
    body = response.json()
    assert response.status_code == 200
    assert body["id"] == "mine"
    assert body["model_name"] == "shoes"
    assert body["parameters"]["digest"].startswith(body["model_version"])
    assert body["parameters"]["prediction_ids"] == [f"{body['parameters']['request_id']}:0"]
    (output,) = body["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("probabilities", "FP32", [1, 3])
    assert sum(output["data"]) == pytest.approx(1)


def test_predict_gives_class_names_and_confidence_and_agrees_with_infer(server: Server) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (3, 4, 4))
    friendly = server.post("/predict", {"inputs": {"image": rows.tolist()}}).json()
    instances = server.post("/predict", {"instances": rows.tolist()}).json()
    infer = server.post(INFER, changed(shape=[3, 4, 4], data=rows.ravel().tolist())).json()
    probabilities = np.reshape(infer["outputs"][0]["data"], (3, 3))
    names = np.array(["boot", "sandal", "sneaker"])[probabilities.argmax(axis=1)].tolist()
    assert [row["label"] for row in friendly["predictions"]] == names
    assert [row["label"] for row in instances["predictions"]] == names
    assert [row["confidence"] for row in friendly["predictions"]] == pytest.approx(probabilities.max(axis=1), abs=1e-6)


def binary_body(document: dict[str, Any], tail: bytes) -> tuple[bytes, dict[str, str]]:
    text = json.dumps(document).encode()
    return text + tail, {"Inference-Header-Content-Length": str(len(text))}


def binary_image(**parameters: Any) -> dict[str, Any]:
    image = {"name": "image", "shape": [1, 4, 4], "datatype": "UINT8", "parameters": {"binary_data_size": 16}}
    return {"inputs": [image], **parameters}


def test_infer_takes_and_gives_binary_tensors(server: Server) -> None:
    pixels = bytes(range(16))
    expected = server.post(INFER, changed(data=list(pixels))).json()["outputs"][0]["data"]
    body, headers = binary_body(binary_image(parameters={"binary_data_output": True}), pixels)
    response = server.client.post(server.url + INFER, content=body, headers=server.headers | headers)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/octet-stream"
    length = int(response.headers["Inference-Header-Content-Length"])
    (output,) = json.loads(response.content[:length])["outputs"]
    assert (output["datatype"], output["shape"]) == ("FP32", [1, 3])
    assert output["parameters"] == {"binary_data_size": 12}
    assert np.frombuffer(response.content[length:], "<f4").tolist() == pytest.approx(expected)


@pytest.mark.parametrize("path", [INFER, "/predict", "/labels"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_every_body_may_be_compressed(server: Server, path: str, encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zlib.compress
    row = server.infer().json()["parameters"]["prediction_ids"][0]
    labels = {"labels": [{"id": row, "label": "boot"}]}
    document = {INFER: GOOD, "/predict": {"instances": [[[1] * 4] * 4]}, "/labels": labels}[path]
    headers = server.headers | {"Content-Encoding": encoding}
    post = partial(server.client.post, server.url + path, headers=headers)
    assert post(content=compress(json.dumps(document).encode())).status_code == 200
    bomb = post(content=compress(b"[" + b" " * 10_000_000))
    assert (bomb.status_code, bomb.json()["code"]) == (413, "too_large")
    other = server.client.post(server.url + path, content=b"{}", headers=headers | {"Content-Encoding": "br"})
    assert (other.status_code, other.json()["code"]) == (415, "unsupported_encoding")
    assert other.headers["Accept-Encoding"] == "gzip, deflate"


def test_metadata_routes(server: Server) -> None:
    model = server.get("/v2/models/shoes").json()
    assert model["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 4, 4]}]
    assert model["parameters"]["labels"] == ["boot", "sandal", "sneaker"]
    assert server.get("/v2/models/shoes/ready").json()["ready"] is True
    assert server.get("/v2/health/ready").json() == {"ready": True}
    assert server.get("/v2").json()["name"] == "evertune"
    assert server.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert server.get("/v2/models/hats").status_code == 404
    assert server.get("/v2/models/hats/ready").json()["code"] == "unknown_model"


BAD = {
    "a wrong shape": (INFER, changed(shape=[1, 4, 5], data=[1] * 20), 400, "shape"),
    "a shape that the data does not fill": (INFER, changed(data=[1] * 15), 400, "15 values"),
    "no shape": (INFER, changed(shape=None), 400, "shape"),
    "no rows": (INFER, changed(shape=[0, 4, 4], data=[]), 400, "row"),
    "a wrong datatype": (INFER, changed(datatype="FP32"), 400, "FP32"),
    "a value that is no uint8": (INFER, changed(data=[1] * 15 + [256]), 400, "256"),
    "a fraction": (INFER, changed(data=[1] * 15 + [0.5]), 400, "0.5"),
    "a text": (INFER, changed(data=[1] * 15 + ["one"]), 400, "one"),
    "a null": (INFER, changed(data=[1] * 15 + [None]), 400, "None"),
    "a wrong name": (INFER, changed(name="picture"), 400, "picture"),
    "the same input twice": (INFER, {"inputs": GOOD["inputs"] * 2}, 400, "twice"),
    "no inputs": (INFER, {}, 400, "inputs"),
    "an unknown output": (INFER, {**GOOD, "outputs": [{"name": "logits"}]}, 400, "logits"),
    "binary data without its header": (
        INFER,
        changed(data=None, parameters={"binary_data_size": 16}),
        400,
        "Inference-Header-Content-Length",
    ),
    "an array": (INFER, [1], 400, "list"),
    "broken JSON": (INFER, b'{"inputs": [', 400, "not JSON"),
    "NaN": (INFER, json.dumps(changed(data=[1] * 15 + [float("nan")])).encode(), 400, "NaN"),
    "infinity": (INFER, json.dumps(changed(data=[1] * 15 + [float("inf")])).encode(), 400, "finite"),
    "no UTF-8": (INFER, b'{"inputs": "\xff"}', 400, "not JSON"),
    "deep nesting": (INFER, b"[" * 5000, 400, "not JSON"),
    "too many bytes": (INFER, changed(data=[100] * 10_000), 413, "20000 bytes"),
    "ragged rows": ("/predict", {"inputs": {"image": [[[1] * 4] * 3 + [[1] * 3]]}}, 400, "differ in length"),
    "an unknown input": ("/predict", {"inputs": {"image": [[[1] * 4] * 4], "hat": [1]}}, 400, "hat"),
    "a missing input": ("/predict", {"inputs": {}}, 400, "image"),
    "inputs and instances": ("/predict", {"inputs": {}, "instances": []}, 400, "either"),
    "an instance with a wrong name": ("/predict", {"instances": [{"hat": 1}]}, 400, "image"),
    "an unknown model": ("/v2/models/hats/infer", GOOD, 404, "hats"),
    "an unknown model to predict": ("/predict", {"inputs": {}, "model": "hats"}, 404, "hats"),
    "a version": ("/v2/models/shoes/versions/3/infer", GOOD, 404, "champion"),
    "an unknown path": ("/v2/modells", GOOD, 404, "/v2/modells"),
    "labels that are none": ("/labels", {"labels": []}, 400, "labels"),
    "a label without an id": ("/labels", {"labels": [{"label": "boot"}]}, 400, "labels[0]"),
    "a malformed id": ("/labels", {"labels": [{"id": "7", "label": "boot"}]}, 400, "malformed"),
    "a label for an unknown id": ("/labels", {"labels": [{"id": f"{new_request_id()}:0", "label": "boot"}]}, 404, ":0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_an_error_that_names_it(server: Server, case: str) -> None:
    path, document, status, mentioned = BAD[case]
    if isinstance(document, bytes):
        response = server.client.post(server.url + path, content=document, headers=server.headers)
    else:
        response = server.post(path, document)
    body = response.json()
    assert response.status_code == status, body
    assert mentioned in body["error"] + body.get("fix", "")
    assert body["code"]
    assert server.infer().status_code == 200


BAD_BINARY = {
    "a body that was cut short": (binary_image(), bytes(15), None, "15 bytes are left"),
    "bytes after the last tensor": (binary_image(), bytes(17), None, "1 bytes follow"),
    "a JSON that is cut short": (binary_image(), bytes(16), "20", "not JSON"),
    "a JSON longer than the body": (binary_image(), bytes(16), "999", "the body has"),
    "a length that is none": (binary_image(), bytes(16), "ten", "'ten'"),
    "a wrong size": (
        {"inputs": [binary_image()["inputs"][0] | {"parameters": {"binary_data_size": 15}}]},
        bytes(16),
        None,
        "takes 16",
    ),
    "a classification": (
        binary_image(outputs=[{"name": "probabilities", "parameters": {"classification": 1}}]),
        bytes(16),
        None,
        "classification",
    ),
}


@pytest.mark.parametrize("case", BAD_BINARY)
def test_bad_binary_bodies_get_an_error_that_names_it(server: Server, case: str) -> None:
    document, tail, length, mentioned = BAD_BINARY[case]
    body, headers = binary_body(document, tail)
    if length is not None:
        headers = {"inference-header-content-length": length}
    response = server.client.post(server.url + INFER, content=body, headers=server.headers | headers)
    assert response.status_code == 400, response.text
    assert mentioned in response.json()["error"]


def test_a_label_of_an_unknown_class_is_refused_and_nothing_is_stored(server: Server) -> None:
    identifier = server.infer().json()["parameters"]["prediction_ids"][0]
    for label in ("hat", 3, -1, True, None, 1.0):
        response = server.post("/labels", {"labels": [{"id": identifier, "label": label}]})
        assert response.status_code == 400
        assert "sneaker" in response.json()["fix"]
    response = server.post("/labels", {"labels": [{"id": identifier, "label": "boot"}]})
    assert response.json() == {"accepted": 1, "unchanged": 0, "corrected": 0}


def test_a_label_for_a_row_that_the_request_did_not_have(server: Server) -> None:
    request_id = server.infer().json()["parameters"]["request_id"]
    response = server.post("/labels", {"labels": [{"id": f"{request_id}:1", "label": "boot"}]})
    assert response.status_code == 404


def test_labels_of_predictions_made_a_moment_ago_by_any_worker(server: Server) -> None:
    def predict_and_label(index: int) -> tuple[str, dict[str, int]]:
        identifier = server.infer(index).json()["parameters"]["prediction_ids"][0]
        return identifier, server.post("/labels", {"labels": [{"id": identifier, "label": index % 3}]}).json()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(predict_and_label, range(40)))
    assert all(answer == {"accepted": 1, "unchanged": 0, "corrected": 0} for _, answer in answers)
    again = [{"id": identifier, "label": index % 3} for index, (identifier, _) in enumerate(answers)]
    assert server.post("/labels", {"labels": again}).json() == {"accepted": 0, "unchanged": 40, "corrected": 0}
    again[0]["label"] = 1
    assert server.post("/labels", {"labels": again[:1]}).json() == {"accepted": 0, "unchanged": 0, "corrected": 1}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer ek_000000000000_wrong"}, {"X-API-Key": "wrong"}],
)
@pytest.mark.parametrize("path", [INFER, "/predict", "/labels"])
def test_without_a_good_key_nothing_is_answered(server: Server, path: str, headers: dict[str, str]) -> None:
    response = server.client.post(server.url + path, json=GOOD, headers=headers)
    assert response.status_code == 401
    assert response.json()["code"] == "unauthorized"
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_opens_what_its_role_says_until_it_is_revoked(server: Server) -> None:
    keyring = Keyring(server.project.keys_path)
    secret = keyring.create("reader", ["predict"])
    headers = {"X-API-Key": secret}
    assert server.client.post(server.url + INFER, json=GOOD, headers=headers).status_code == 200
    response = server.client.post(server.url + "/labels", json={}, headers=headers)
    assert response.status_code == 401
    assert "label" in response.json()["error"]
    keyring.revoke(secret[3:15])
    server.wait(lambda: server.client.post(server.url + INFER, json=GOOD, headers=headers).status_code == 401)


def test_a_wrong_method_is_told_the_right_one(server: Server) -> None:
    response = server.get("/predict")
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


def test_a_body_that_never_ends_is_cut_off(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", INFER)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Authorization", server.headers["Authorization"])
    connection.endheaders()
    for _ in range(5):
        connection.send(b"2000\r\n" + b"1" * 0x2000 + b"\r\n")
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read())["code"] == "too_large"
    connection.close()


def test_one_bad_request_does_not_fail_its_neighbours(server: Server) -> None:
    async def ask() -> list[int]:
        async with httpx.AsyncClient(base_url=server.url, headers=server.headers, timeout=30, verify=False) as client:
            documents = [changed(data=[1] * 15) if index % 5 == 0 else GOOD for index in range(60)]
            responses = await asyncio.gather(*(client.post(INFER, json=one) for one in documents))
            return [response.status_code for response in responses]

    assert asyncio.run(ask()) == [400 if index % 5 == 0 else 200 for index in range(60)]


def test_a_thousand_random_urls_add_no_series(server: Server) -> None:
    def series() -> set[str]:
        return {line.rsplit(" ", 1)[0] for line in server.get("/metrics").text.splitlines() if line[:1] != "#"}

    server.get("/random")
    server.get("/v2/random")
    server.get("/v2/models/random")
    routes = ("/metrics", "/v2/models/{name}", "other")
    server.wait(lambda: all(f'route="{route}"' in str(series()) for route in routes))  # workers hand over in turns
    before = series()
    with httpx.Client(base_url=server.url, verify=False) as client:
        for index in range(1000):
            client.get(("/x{}", "/v2/x{}", "/v2/models/x{}")[index % 3].format(index))
    assert series() == before


def test_metrics_sum_over_the_workers(server: Server) -> None:
    before = server.counted("evertune_requests_total", route=INFER.replace("shoes", "{name}"), status="200")
    rows_before = server.counted("evertune_predictions_total", model="shoes")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.infer().status_code, range(100)))
    assert answers == [200] * 100
    name = INFER.replace("shoes", "{name}")
    server.wait(lambda: server.counted("evertune_requests_total", route=name, status="200") == before + 100)
    assert server.counted("evertune_predictions_total", model="shoes") == rows_before + 100
    assert server.counted("evertune_ready") == 1
    assert "bentoml" not in server.get("/metrics").text


def test_the_docs_work_without_a_network_and_match_the_model(server: Server) -> None:
    page = server.get("/docs").text
    assert "https://" not in page
    assert server.get("/").text == page
    for asset in ("/static_content/swagger-ui.css", "/static_content/swagger-ui-bundle.js"):
        assert asset in page
        assert server.get(asset).status_code == 200
    document = server.get("/openapi.json").json()
    for path, item in document["paths"].items():
        if "post" in item and path != "/labels":
            example = item["post"]["requestBody"]["content"]["application/json"]["example"]
            assert server.post(path.format(name="shoes"), example).status_code == 200, path
        elif "get" in item:
            assert server.get(path.format(name="shoes")).status_code == 200, path
    infer = document["paths"]["/v2/models/{name}/infer"]["post"]
    assert "application/octet-stream" in infer["requestBody"]["content"]
    assert infer["parameters"][0]["name"] == "Inference-Header-Content-Length"


def test_hot_swaps_under_load_fail_no_request(server: Server) -> None:
    digests = [server.put(seed).digest for seed in (2, 3, 1)]
    seen: list[tuple[int, str]] = []
    done = False

    async def ask(client: httpx.AsyncClient) -> None:
        while not done:
            response = await client.post(INFER, json=GOOD)
            seen.append((response.status_code, response.json()["parameters"]["digest"]))

    async def swap() -> None:
        nonlocal done
        for digest in digests:
            server.promote(digest)
            await asyncio.to_thread(server.wait, lambda digest=digest: server.all_workers_serve(digest))
        done = True

    async def run() -> None:
        async with httpx.AsyncClient(base_url=server.url, headers=server.headers, timeout=30, verify=False) as client:
            await asyncio.gather(swap(), *(ask(client) for _ in range(8)))

    asyncio.run(run())
    assert {status for status, _ in seen} == {200}
    assert {digest for _, digest in seen} == set(digests)


def test_a_corrupt_bundle_keeps_the_champion(server: Server) -> None:
    before = server.infer().json()["parameters"]["digest"]
    bundle = server.put(9)
    content = bytearray(bundle.model_path.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.model_path.write_bytes(content)
    server.promote(bundle.digest)
    server.wait(lambda: server.get("/v2/models").json()["models"][0]["failed"] is not None)
    (state,) = server.get("/v2/models").json()["models"]
    assert state["failed"]["digest"] == bundle.digest
    assert "model.onnx" in state["failed"]["error"]
    assert server.infer().json()["parameters"]["digest"] == before
    assert server.counted("evertune_swaps_total", outcome="failed") >= 1
    assert server.get("/v2/health/ready").status_code == 200
    server.promote(before)
    server.wait(lambda: server.get("/v2/models").json()["models"][0]["failed"] is None)


def test_kill_9_of_a_worker_loses_no_answered_prediction(server: Server) -> None:
    workers = server.workers()
    assert len(workers) == 2
    answered: list[str] = []
    with ThreadPoolExecutor(4) as pool:

        def ask(_: int) -> None:
            try:
                answered.append(server.infer().json()["parameters"]["request_id"])
            except httpx.TransportError:
                return  # the worker was killed while this one waited

        asked = [pool.submit(ask, index) for index in range(200)]
        server.wait(lambda: len(answered) > 50)
        workers[0].kill()
        for future in asked:
            future.result()
    assert len(answered) > 150
    with Ledger.open(server.project.ledger_url) as ledger:
        server.wait(lambda: ledger.predictions.known(answered) == set(answered))
    server.wait(lambda: len(server.workers()) == 2)
    assert len(set(answered)) == len(answered)


@pytest.mark.parametrize("path", [INFER, "/predict"])
def test_a_request_that_is_sent_again_with_its_id_is_recorded_once(server: Server, path: str) -> None:
    request_id = new_request_id()
    document = GOOD if path == INFER else {"instances": [[[1] * 4] * 4]}
    headers = server.headers | {"Idempotency-Key": request_id, "Connection": "close"}  # so that both workers answer
    answers = [server.client.post(server.url + path, json=document, headers=headers).json() for _ in range(10)]
    rows = {
        answer["parameters"]["prediction_ids"][0] if path == INFER else answer["predictions"][0]["id"]
        for answer in answers
    }
    assert rows == {f"{request_id}:0"}
    label = {"labels": [{"id": f"{request_id}:0", "label": "boot"}]}
    assert server.post("/labels", label).json()["accepted"] == 1
    with Ledger.open(server.project.ledger_url) as ledger:
        assert ledger.predictions.known([request_id]) == {request_id}
        assert ledger.labels.labelled_rows("shoes").ids.count(f"{request_id}:0") == 1


@pytest.mark.parametrize("path", [INFER, "/predict"])
def test_an_id_that_is_no_uuid_7_is_refused(server: Server, path: str) -> None:
    for value in ("7", "", "00000000-0000-4000-8000-000000000000", new_request_id().upper()):
        headers = server.headers | {"Idempotency-Key": value}
        response = server.client.post(server.url + path, json={**GOOD, "instances": []}, headers=headers)
        assert response.status_code == 400
        assert "UUIDv7" in response.json()["error"]


def test_the_inputs_are_kept_for_training(server: Server) -> None:
    pixels = list(range(16))
    identifier = server.post(INFER, changed(data=pixels)).json()["parameters"]["prediction_ids"][0]
    server.post("/labels", {"labels": [{"id": identifier, "label": "sandal"}]})
    with Ledger.open(server.project.ledger_url) as ledger:
        rows = ledger.labels.labelled_rows("shoes")
    position = rows.ids.index(identifier)
    assert rows.inputs["image"][position].ravel().tolist() == pixels
    assert rows.labels[position] == 1


def test_kill_9_of_everything_then_a_start_replays_the_spool(start: Any, tmp_path: Any, make_bundle: Any) -> None:
    from evertune.bundle import BundleStore
    from evertune.settings import load_project

    root = tmp_path / "killed"
    root.mkdir()
    (root / "evertune.toml").write_text("[serve]\nspool_drain_seconds = 600\n")
    project = load_project(root)
    bundle = make_bundle(BundleStore(project.bundle_url), 1)
    with Ledger.open(project.ledger_url) as ledger:
        ledger.registry.promote("shoes", bundle.digest, reason="test", actor="test")
        first = start(project)
        answered = [first.infer(index).json()["parameters"]["request_id"] for index in range(50)]
        assert ledger.predictions.known(answered) == set()
        processes = [psutil.Process(first.process.pid), *psutil.Process(first.process.pid).children(recursive=True)]
        drainers = [process for process in processes if "serve.drainer" in " ".join(process.cmdline())]
        assert len(drainers) == 1
        for process in sorted(processes, key=lambda process: process not in drainers):
            process.kill()
        psutil.wait_procs(processes, timeout=20)
        first.process.wait()
        assert ledger.predictions.known(answered) == set()
        second = start(project)
        second.wait(lambda: ledger.predictions.known(answered) == set(answered))
    assert shutil.which("wrk") is None or second.infer().status_code == 200


def test_a_killed_supervisor_takes_its_workers_with_it(start: Any, project: Any) -> None:
    running = start(project)
    family = psutil.Process(running.process.pid).children(recursive=True)
    assert len(family) >= 2
    running.process.kill()
    running.process.wait()
    _, left = psutil.wait_procs(family, timeout=30)
    assert left == []


def test_a_folder_without_settings_is_told_so(tmp_path: Any) -> None:
    import subprocess
    import sys

    (tmp_path / "bentofile.yaml").write_text('service: "serve.service:Evertune"\n')
    command = [sys.executable, "-m", "bentoml", "serve"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "no evertune.toml" in ended.stdout + ended.stderr
    assert "evertune init" in ended.stdout + ended.stderr
