from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from evertune.keys import Keyring
from retune.decision import Decider
from retune.doors import doors

World = Any  # of conftest.py
MODEL = "sign"
TOKEN = {"Authorization": "Bearer secret"}


class Client:
    """Talks to the ASGI application itself."""

    def __init__(self, world: World) -> None:
        self.keyring = Keyring(world.project.keys_path)
        self._app = doors(world.ledger, self.keyring, "secret")

    def key(self, role: str) -> dict[str, str]:
        """A new key of that role, as headers."""
        return {"Authorization": f"Bearer {self.keyring.create(role, {role})}"}

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def talk() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
                return await client.request(method, path, **options)

        return asyncio.run(talk())

    def post(self, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        return self.send("POST", "/retune", content=content, headers=headers or {})


@pytest.fixture
def client(world: World) -> Client:
    world.ledger.registry.promote(MODEL, world.champion.digest, reason="first", actor="test")
    return Client(world)


def test_an_admin_asks_and_sees_what_becomes_of_it(world: World, client: Client) -> None:
    admin = client.key("admin")
    answer = client.post({"without_drift": True, "reason": "new camera"}, admin)
    assert answer.status_code == 202
    (request,) = world.ledger.requests.open()
    assert answer.json() == {"id": request.id, "model": MODEL, "status": "open", "duplicate": False}
    key_id = client.keyring.list()[0].id
    assert request.evidence == {"without_drift": True, "reason": "new camera", "actor": f"key {key_id}"}
    assert request.trigger == "http"

    where = answer.headers["location"]
    told = client.send("GET", where, headers=admin).json()
    assert (told["id"], told["status"], told["reason"], told["job"]) == (request.id, "open", "", None)
    Decider(world.ledger, world.project.settings.retune).step()
    told = client.send("GET", where, headers=admin).json()
    assert (told["status"], told["reason"]) == ("accepted", "accepted")
    assert told["job"] == {"id": world.job().id, "status": "pending", "phase": "", "reason": None, "awaiting": None}


def test_the_evidence_decides(world: World, client: Client) -> None:
    answer = client.post({"model": MODEL}, client.key("admin"))
    Decider(world.ledger, world.project.settings.retune).step()
    told = client.send("GET", answer.headers["location"], headers=TOKEN).json()
    assert (told["status"], told["reason"], told["job"]) == ("suppressed", "no_evidence", None)


def test_a_wish_that_waits_says_for_what(world: World, client: Client) -> None:
    world.ledger.pauses.pause(MODEL, reason="stocktaking", actor="ann")
    where = client.post(None, TOKEN).headers["location"]
    Decider(world.ledger, world.project.settings.retune).step()
    told = client.send("GET", where, headers=TOKEN).json()
    assert (told["status"], told["reason"]) == ("open", "pause (ann: stocktaking)")


def test_the_same_wish_sent_again_is_one(world: World, client: Client) -> None:
    answers = [client.post({"id": "deploy-17"}, TOKEN).json() for _ in range(3)]
    assert [answer["duplicate"] for answer in answers] == [False, True, True]
    assert len({answer["id"] for answer in answers}) == 1
    assert client.post({"id": "deploy-18"}, TOKEN).json()["duplicate"] is False
    assert client.post(None, TOKEN).json()["id"] != client.post(None, TOKEN).json()["id"]


def test_the_webhook_token_asks_like_an_alert_and_not_without_drift(world: World, client: Client) -> None:
    assert client.post(b"", TOKEN).status_code == 202
    assert world.request().evidence == {"actor": "webhook token"}
    refused = client.post({"without_drift": True}, TOKEN)
    assert refused.status_code == 401
    assert "role 'admin'" in refused.json()["fix"]
    assert len(world.ledger.requests.list()) == 1


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("who", ["nobody", "wrong token", "empty", "unknown key", "predict", "label", "basic"])
def test_others_are_refused(world: World, client: Client, method: str, who: str) -> None:
    known = {
        "nobody": {},
        "wrong token": {"Authorization": "Bearer wrong"},
        "empty": {"Authorization": "Bearer "},
        "unknown key": {"Authorization": "Bearer ek_0123456789ab_xyz"},
        "basic": {"Authorization": "Basic secret"},
    }
    headers = known[who] if who in known else client.key(who)
    answer = client.send(method, "/retune" if method == "POST" else "/retune/requests/1", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["fix"]
    assert world.ledger.requests.list() == []


def test_a_revoked_key_is_refused(client: Client) -> None:
    admin = client.key("admin")
    assert client.post(None, admin).status_code == 202
    client.keyring.revoke(client.keyring.list()[0].id)
    assert client.post(None, admin).status_code == 401


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "the body"),
        (b"[]", "the body"),
        (b"\xff", "the body"),
        ({"model": 7}, "model"),
        ({"model": ""}, "model"),
        ({"model": "m" * 129}, "model"),
        ({"without_drift": "yes"}, "without_drift"),
        ({"force": True}, "force"),
        ({"id": "no spaces"}, "id"),
        ({"id": "x" * 129}, "id"),
        ({"reason": "x" * 1001}, "reason"),
    ],
)
def test_malformed_wishes_are_named_and_leave_nothing(world: World, client: Client, body: Any, named: str) -> None:
    answer = client.post(body, TOKEN)
    assert answer.status_code == 400
    assert f"{named}:" in answer.json()["error"]
    assert world.ledger.requests.list() == []


def test_a_model_that_is_not_there_or_not_named(world: World, client: Client) -> None:
    assert client.post({"model": "hats"}, TOKEN).status_code == 404
    world.ledger.registry.promote("other", world.champion.digest, reason="first", actor="test")
    answer = client.post(None, TOKEN)
    assert (answer.status_code, answer.json()["error"]) == (400, f"there are several models: other, {MODEL}")


@pytest.mark.parametrize("number", ["7", "0", "99999999999999999999999"])
def test_an_unknown_request(client: Client, number: str) -> None:
    answer = client.send("GET", f"/retune/requests/{number}", headers=TOKEN)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_request")


def test_a_large_body_is_refused(client: Client) -> None:
    assert client.post(b" " * 2_000_000, TOKEN).status_code == 413
