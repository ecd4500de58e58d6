"""Our own client, blocking and asynchronous, against a real server: the same cases for both."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from evertune.client import AsyncClient, Client, Prediction, Receipt, Retry
from evertune.errors import AuthError, InputError, TooLargeError, UnknownModelError, UnknownRowError
from evertune.ids import new_request_id
from evertune.keys import Keyring
from evertune.ledger import Ledger

Server = Any  # of conftest.py
LABELS = np.array(["boot", "sandal", "sneaker"])


class Both:
    """Either client, called as if it blocked."""

    def __init__(self, kind: type[Client] | type[AsyncClient], url: str, **options: Any) -> None:
        self.kind = kind
        self._client: Any = kind(url, **options)
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            result = getattr(self._client, name)(*arguments, **options)
            return self._runner.run(result) if asyncio.iscoroutine(result) else result

        return call

    def end(self) -> None:
        self.close()
        self._runner.close()


Connect = Callable[..., Both]


@pytest.fixture(params=[Client, AsyncClient])
def connect(request: pytest.FixtureRequest, server: Server) -> Iterator[Connect]:
    made: list[Both] = []

    def begin(**options: Any) -> Both:
        made.append(Both(request.param, server.url, **{"api_key": server.key, **options}))
        return made[-1]

    yield begin
    for one in made:
        one.end()


@pytest.fixture
def client(connect: Connect) -> Both:
    return connect()


IMAGES = np.random.default_rng(7).integers(0, 250, (5, 4, 4), dtype=np.uint8)


def test_prediction_label_and_raw_outputs_agree(client: Both, server: Server) -> None:
    inference = client.infer("shoes", {"image": IMAGES})
    probabilities = inference.outputs["probabilities"]
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (5, 3))
    assert len(set(inference.ids)) == 5
    assert server.get("/v2/models/shoes").json()["digest"] == inference.digest
    rows = client.predict_many(IMAGES)
    assert [row.label for row in rows] == LABELS[probabilities.argmax(axis=1)].tolist()
    assert [row.confidence for row in rows] == pytest.approx(probabilities.max(axis=1), abs=1e-6)
    for image in (IMAGES[0], IMAGES[0].tolist(), {"image": IMAGES[0]}, np.asfortranarray(IMAGES)[0]):
        one = client.predict(image, model="shoes")
        assert isinstance(one, Prediction)
        assert (one.label, one.model, one.digest) == (rows[0].label, "shoes", inference.digest)
    only = client.infer("shoes", {"image": IMAGES[:1]}, outputs=["probabilities"])
    assert list(only.outputs) == ["probabilities"]


def test_labels_by_prediction_id_or_name(client: Both) -> None:
    one, two = client.predict_many(IMAGES[:2])
    assert client.label(one, "boot") == Receipt(1, 0, 0)
    assert client.label(one.id, 0) == Receipt(0, 1, 0)
    assert client.label_many([(one, "sandal"), (two.id, 2)]) == Receipt(1, 0, 1)
    (raw,) = client.infer("shoes", {"image": IMAGES[:1]}).ids
    assert client.label(raw, "boot") == Receipt(1, 0, 0)


def test_ready(client: Both) -> None:
    assert client.ready() is True
    assert client.ready("shoes") is True
    assert client.ready("hats") is False


def test_the_servers_errors_come_as_their_classes_with_its_words(client: Both, connect: Connect) -> None:
    with pytest.raises(InputError, match=r"expected .*4, 4"):
        client.predict(IMAGES[0, :3])
    with pytest.raises(InputError, match="datatype 'FP32', expected 'UINT8'"):
        client.infer("shoes", {"image": IMAGES.astype(np.float32)})
    with pytest.raises(InputError, match="unknown outputs"):
        client.infer("shoes", {"image": IMAGES}, outputs=["logits"])
    with pytest.raises(UnknownModelError, match="hats"):
        client.infer("hats", {"image": IMAGES})
    with pytest.raises(UnknownModelError, match="Schuhe & Söhne"):
        client.infer("Schuhe & Söhne", {"image": IMAGES})
    with pytest.raises(UnknownRowError):
        client.label(f"{new_request_id()}:0", "boot")
    with pytest.raises(InputError, match="sneaker"):
        client.label(client.predict(IMAGES[0]), "hat")
    with pytest.raises(TooLargeError, match="20000 bytes"):
        client.infer("shoes", {"image": np.zeros((2000, 4, 4), np.uint8)})
    with pytest.raises(AuthError, match="unknown or revoked"):
        connect(api_key="ek_000000000000_wrong").predict(IMAGES[0])


def test_a_key_without_the_role_is_told_which(connect: Connect, server: Server) -> None:
    reader = connect(api_key=Keyring(server.project.keys_path).create("reader", ["predict"]))
    prediction = reader.predict(IMAGES[0])
    with pytest.raises(AuthError, match="'label'") as refused:
        reader.label(prediction, "boot")
    assert refused.value.details == {"role": "label"}


class Losing(httpx.HTTPTransport):
    """The server gets every request; the first answers are lost on the way back."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times, self.answers = times, list[bytes]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        self.answers.append(response.read())
        if len(self.answers) <= self.times:
            raise httpx.ReadError("lost")
        return response


class AsyncLosing(httpx.AsyncHTTPTransport):
    """The same for the other client."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times, self.answers = times, list[bytes]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.answers.append(await response.aread())
        if len(self.answers) <= self.times:
            raise httpx.ReadError("lost")
        return response


def losing(kind: Any, times: int) -> Any:
    return Losing(times) if kind is Client else AsyncLosing(times)


@pytest.mark.parametrize("raw", [False, True])
def test_a_prediction_whose_answers_were_lost_keeps_its_id(connect: Connect, server: Server, raw: bool) -> None:
    transport = losing(connect().kind, 3)
    client = connect(retry=Retry(first_seconds=0.01), transport=transport)
    row = client.infer("shoes", {"image": IMAGES[:1]}).ids[0] if raw else client.predict(IMAGES[0]).id
    assert len(transport.answers) == 4
    assert all(row.encode() in answer for answer in transport.answers)
    assert client.label(row, "boot") == Receipt(1, 0, 0)
    with Ledger.open(server.project.ledger_url) as ledger:
        assert ledger.labels.labelled_rows("shoes").ids.count(row) == 1


def test_a_label_whose_answer_was_lost_is_stored_once(connect: Connect) -> None:
    prediction = connect().predict(IMAGES[0])
    client = connect(retry=Retry(first_seconds=0.01), transport=losing(connect().kind, 1))
    assert client.label(prediction, "boot") == Receipt(0, 1, 0)  # the first attempt had stored it


def test_a_worker_that_is_killed_fails_no_call(connect: Connect, server: Server) -> None:
    client, ids = connect(), []
    for number in range(150):
        if number == 50:
            server.workers()[0].kill()
        ids.append(client.predict(IMAGES[number % 5]).id)
    with Ledger.open(server.project.ledger_url) as ledger:
        wanted = {identifier[:36] for identifier in ids}
        server.wait(lambda: ledger.predictions.known(wanted) == wanted)
    assert len(wanted) == 150
    server.wait(lambda: len(server.workers()) == 2)


def test_the_examples_of_the_docs_run(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
    changes = {"http://127.0.0.1:3000": server.url, "fashion": "shoes", "(28, 28)": "(4, 4)", "Sneaker": "sneaker"}
    monkeypatch.setenv("EVERTUNE_API_KEY", server.key)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        for old, new in changes.items():
            block = block.replace(old, new)
        exec(block, names)
    names["patient"].close()
    _, receipt, outputs, error, ids = capsys.readouterr().out.splitlines()
    assert receipt == "1 0 0"
    assert outputs.startswith("(1, 3) ")
    assert error.startswith("InputError tensor 'image' has shape [1, 3, 4]")
    assert ids == "10"


def test_threads_share_a_client(server: Server) -> None:
    with Client(server.url, api_key=server.key) as client, ThreadPoolExecutor(8) as pool:
        together = threading.Barrier(8)

        def ask(index: int) -> str:
            if index < 8:
                together.wait()
            return client.predict(IMAGES[index % 5]).id

        assert len(set(pool.map(ask, range(80)))) == 80


def test_tasks_share_a_client(server: Server) -> None:
    async def ask() -> list[Prediction]:
        async with AsyncClient(server.url, api_key=server.key) as client:
            return await asyncio.gather(*(client.predict(IMAGES[index % 5]) for index in range(80)))

    assert len({prediction.id for prediction in asyncio.run(ask())}) == 80


def test_without_a_champion_a_call_waits_for_one(server: Server, start: Any, project: Any) -> None:
    empty = start(project)
    asleep: list[float] = []

    def promote_then_go_on(seconds: float) -> None:
        asleep.append(seconds)
        if len(asleep) == 1:
            bundle = empty.put(1)
            empty.promote(bundle.digest)
            empty.wait(lambda: empty.all_workers_serve(bundle.digest))

    with Client(empty.url, api_key=empty.key, sleep=promote_then_go_on, retry=Retry(draw=lambda: 0.0)) as client:
        assert client.ready() is False
        assert client.predict(IMAGES[0]).model == "shoes"
    assert asleep == [1.0]  # as its Retry-After says
