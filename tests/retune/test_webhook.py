from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from evertune.keys import Keyring
from retune.doors import doors

World = Any  # of conftest.py
MODEL = "sign"
PATH = "/webhook/alertmanager"
GOOD = {"Authorization": "Bearer secret"}


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "ModelHarmfulDrift", "action": "retune", "model": MODEL},
        "annotations": {},
        "startsAt": "2026-11-23T10:00:00.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "a1b2c3d4e5f60718",
        **changes,
    }


def notification(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "evertune",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts) or [alert()],
        **changes,
    }


class Client:
    """Talks to the ASGI application itself."""

    def __init__(self, world: World, token: str) -> None:
        self._app = doors(world.ledger, Keyring(world.project.keys_path), token)

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def talk() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://webhook") as client:
                return await client.request(method, path, **options)

        return asyncio.run(talk())

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.send("POST", path, **options)


@pytest.fixture
def client(world: World) -> Client:
    return Client(world, "secret")


def test_a_firing_alert_becomes_a_request_and_nothing_more(world: World, client: Client) -> None:
    answer = client.post(PATH, json=notification(), headers=GOOD)
    assert answer.status_code == 202
    (request,) = world.ledger.requests.open()
    assert answer.json() == {
        "requests": [{"id": request.id, "model": MODEL, "status": "open", "duplicate": False}],
        "ignored": 0,
    }
    assert (request.model, request.trigger) == (MODEL, "alertmanager")
    assert request.fingerprint == "alertmanager:a1b2c3d4e5f60718:2026-11-23T10:00:00.123Z"
    assert world.ledger.jobs.list() == []


def test_repetitions_are_duplicates(world: World, client: Client) -> None:
    answers = [client.post(PATH, json=notification(), headers=GOOD) for _ in range(100)]
    assert {answer.status_code for answer in answers} == {202}
    assert [answer.json()["requests"][0]["duplicate"] for answer in answers] == [False] + [True] * 99
    assert len(world.ledger.requests.open()) == 1
    again = client.post(PATH, json=notification(alert(startsAt="2026-11-24T10:00:00Z")), headers=GOOD)
    assert again.json()["requests"][0]["duplicate"] is False


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "resolved"},
        {"labels": {"model": MODEL}},
        {"labels": {"model": MODEL, "action": "page"}},
        {"labels": {"action": "retune"}},
        {"labels": {"action": "retune", "model": ""}},
        {"labels": {"action": "retune", "model": "m" * 129}},
    ],
    ids=["resolved", "no action", "another action", "no model", "empty model", "endless model"],
)
def test_other_alerts_are_ignored_but_not_refused(world: World, client: Client, changes: Any) -> None:
    answer = client.post(PATH, json=notification(alert(**changes), alert()), headers=GOOD)
    assert answer.status_code == 202
    assert answer.json()["ignored"] == 1
    assert len(world.ledger.requests.open()) == 1


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer secre",
        "Bearer secrett",
        "Basic secret",
        "secret",
        "Bearer \xe9",
    ],
)
def test_a_wrong_token_is_refused(world: World, client: Client, header: str) -> None:
    answer = client.post(PATH, json=notification(), headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "retune.webhook_token" in answer.json()["fix"]
    assert world.ledger.requests.open() == []


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer secret"])
def test_without_a_token_in_the_settings_everybody_is_refused(world: World, header: str) -> None:
    answer = Client(world, "").post(PATH, json=notification(), headers={"Authorization": header})
    assert answer.status_code == 401
    assert world.ledger.requests.open() == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "the body"),
        (b"[]", "the body"),
        (b"\xff\xfe", "the body"),
        (json.dumps(notification(version="3")).encode(), "version"),
        (json.dumps(notification(version=4)).encode(), "version"),
        (json.dumps(notification(alerts=None)).encode(), "alerts"),
        (json.dumps(notification(alert(), alert(fingerprint="x" * 65))).encode(), "alerts.1.fingerprint"),
        (json.dumps(notification(alert(fingerprint="no spaces"))).encode(), "alerts.0.fingerprint"),
        (json.dumps(notification(alert(startsAt=""))).encode(), "alerts.0.startsAt"),
        (json.dumps(notification(alert(status="maybe"))).encode(), "alerts.0.status"),
        (json.dumps(notification(alert(labels={"model": 7}))).encode(), "alerts.0.labels.model"),
    ],
)
def test_malformed_notifications_are_named_and_leave_nothing(
    world: World, client: Client, body: bytes, named: str
) -> None:
    answer = client.post(PATH, content=body, headers=GOOD)
    assert answer.status_code == 400
    assert f"{named}:" in answer.json()["error"]
    assert world.ledger.requests.open() == []


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_not_read_to_its_end(client: Client, chunked: bool) -> None:
    read: list[int] = []

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield b" " * 100_000

    answer = client.post(PATH, content=chunks() if chunked else b" " * 10_000_000, headers=GOOD)
    assert answer.status_code == 413
    assert "1000000 bytes" in answer.json()["error"]
    assert len(read) <= 11


def test_a_broken_ledger_makes_alertmanager_try_again(world: World, client: Client) -> None:
    with world.ledger.engine.begin() as connection:
        connection.execute(text("ALTER TABLE retune_requests RENAME TO hidden"))
    answer = client.post(PATH, json=notification(), headers=GOOD)
    assert answer.status_code >= 500
    with world.ledger.engine.begin() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO retune_requests"))
    assert client.post(PATH, json=notification(), headers=GOOD).json()["requests"][0]["duplicate"] is False


def test_other_paths_and_methods(client: Client) -> None:
    assert client.send("GET", "/health/live").json() == {"live": True}
    assert client.send("GET", PATH).status_code == 405
    assert client.post("/").status_code == 404
