from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from evertune.errors import LedgerError, SettingsError
from evertune.keys import Keyring
from retune.ask import ask
from retune.decision import Decider
from retune.run import repeated, run

World = Any  # of conftest.py
MODEL = "sign"
_PATIENCE_SECONDS = 30.0
_RUN = "import pathlib, sys; from evertune.settings import load_project; from retune.run import run; " + (
    "run(load_project(pathlib.Path(sys.argv[1])))"
)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def process(make_world: Callable[..., World], port: int) -> Iterator[tuple[World, subprocess.Popen[bytes]]]:
    world = make_world(port=port, min_train_labels=10_000)  # its jobs wait for labels
    path = world.project.root / "evertune.toml"
    daily = 'name = "daily"\ncron = "0 0 * * *"\ncatch_up_seconds = 172_800\n'  # the last one is made up for
    path.write_text(f"{path.read_text()}\n[[retune.schedules]]\n{daily}")
    world.ledger.registry.promote(MODEL, world.champion.digest, reason="first", actor="test")
    child = subprocess.Popen([sys.executable, "-c", _RUN, str(world.project.root)])
    try:
        wait_for(lambda: child.poll() is None and lives(port))
        yield world, child
    finally:
        child.kill()
        child.wait()


def lives(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
    except httpx.TransportError:
        return False


def test_webhook_to_job_in_one_process_and_a_graceful_end(process: Any, port: int) -> None:
    world, child = process
    world.drift()
    alert = {
        "status": "firing",
        "labels": {"action": "retune", "model": MODEL},
        "startsAt": "2026-11-23T10:00:00Z",
        "fingerprint": "abc",
    }
    answer = httpx.post(
        f"http://127.0.0.1:{port}/webhook/alertmanager",
        json={"version": "4", "alerts": [alert]},
        headers={"Authorization": "Bearer secret"},
    )
    assert answer.status_code == 202
    wait_for(lambda: bool(world.ledger.jobs.list()) and world.job().phase == "train_rows")
    wait_for(lambda: not world.ledger.requests.open())
    assert {request.status for request in world.ledger.requests.list()} == {"accepted", "suppressed"}

    child.send_signal(signal.SIGTERM)
    assert child.wait(_PATIENCE_SECONDS) == 0
    job = world.job()
    assert (job.status, job.phase) == ("running", "train_rows")
    assert job.lease_expires_at <= time.time()  # given back: the next process need not wait


def test_schedules_and_requests_over_http_in_the_same_process(process: Any, port: int) -> None:
    world, _ = process
    wait_for(lambda: any(each.trigger == "schedule" for each in world.ledger.requests.list()))
    secret = Keyring(world.project.keys_path).create("deploy", {"admin"})
    url, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {secret}"}
    asked = httpx.post(f"{url}/retune", json={"without_drift": True}, headers=headers)
    assert asked.status_code == 202

    def told() -> Any:
        return httpx.get(f"{url}{asked.headers['location']}", headers=headers).json()

    wait_for(lambda: told()["status"] == "accepted" and told()["job"]["status"] == "running")
    assert told()["job"]["id"] == world.job().id


def test_a_taken_port_is_explained(make_world: Callable[..., World]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        world = make_world(port=taken.getsockname()[1])
        with pytest.raises(SettingsError, match=r"cannot listen on 127\.0\.0\.1"):
            run(world.project)


def test_once_carries_what_is_open_to_its_end(make_world: Callable[..., World]) -> None:
    world = make_world(gate_wait_seconds=0.05, min_train_labels=10_000)
    world.ledger.registry.promote(MODEL, world.champion.digest, reason="first", actor="test")
    ask(world.ledger, MODEL, without_drift=True)
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    run(world.project, once=True)
    assert world.job().status == "insufficient"
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("lease")]


def test_decisions_go_on_after_an_outage_of_the_ledger(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.drift()
    asked = threading.Event()
    models = world.ledger.registry.models

    def away() -> list[str]:
        asked.set()
        raise OperationalError("SELECT", {}, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(world.ledger.registry, "models", away)
    stop, settings = threading.Event(), world.project.settings.retune
    with repeated([Decider(world.ledger, settings).step], settings, stop):
        assert asked.wait(_PATIENCE_SECONDS)
        monkeypatch.setattr(world.ledger.registry, "models", models)
        wait_for(lambda: bool(world.ledger.jobs.list(MODEL)))
        stop.set()


def test_a_short_outage_of_the_ledger_fails_no_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.drift()
    Decider(world.ledger, world.project.settings.retune).step()
    connect = Engine.connect

    def away(*_: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("server closed the connection unexpectedly"))

    def count_without_ledger(*arguments: Any, **filters: Any) -> int:
        monkeypatch.setattr(Engine, "connect", away)
        try:
            return int(count(*arguments, **filters))
        finally:
            monkeypatch.setattr(Engine, "connect", connect)

    count = world.ledger.labels.count_labelled
    monkeypatch.setattr(world.ledger.labels, "count_labelled", count_without_ledger)
    with pytest.raises(LedgerError, match="does not answer"):
        world.worker().run_once()
    assert world.job().status == "running"  # the next worker goes on with it, when the lease has run out
