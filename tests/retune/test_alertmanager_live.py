"""The whole path with real programs: exporter, Prometheus, Alertmanager, webhook, ledger."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from evertune.keys import Keyring
from evertune.settings import MonitorSettings
from monitoring.exporter import Exporter
from retune.decision import Decider
from retune.doors import doors

World = Any  # of conftest.py
MODEL = "sign"
TOKEN = "a secret of this test"

_RULES = Path(__file__).resolve().parents[2] / "monitoring" / "rules" / "evertune.rules.yml"
_PROGRAMS = {"prometheus": ("prometheus",), "alertmanager": ("prometheus-alertmanager", "alertmanager")}
_FOUND = {name: next(filter(None, map(shutil.which, names)), None) for name, names in _PROGRAMS.items()}

pytestmark = [pytest.mark.skipif(path is None, reason=f"{name} is not installed") for name, path in _FOUND.items()]

_PROMETHEUS = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs: [{{job_name: evertune-monitor, static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]}}]
"""
_ALERTMANAGER = """\
route:
  receiver: nobody
  routes:
    - matchers: [action="retune"]
      receiver: retune
      group_by: [alertname, model, version]
      group_wait: 0s
      group_interval: 1s
      repeat_interval: 1s
receivers:
  - name: nobody
  - name: retune
    webhook_configs:
      - url: http://127.0.0.1:{webhook}/webhook/alertmanager
        send_resolved: true
        http_config: {{authorization: {{credentials_file: {token}}}}}
"""


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready").status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def program(folder: Path, name: str, port: int, *arguments: str) -> Iterator[None]:
    """Runs a program until the block ends, and waits until it is ready."""
    path = _FOUND[name]
    assert path is not None
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([path, *arguments], cwd=folder, stdout=log, stderr=log)
    try:
        wait_until(lambda: ready(port) or process.poll() is not None, name)
        assert process.poll() is None, (folder / f"{name}.log").read_text()
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Door:
    """The webhook, and what it answered."""

    app: Any
    answers: list[int]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.answers.append(int(message["status"]))
            await send(message)

        await self.app(scope, receive, note)


@contextmanager
def listening(app: Any) -> Iterator[int]:
    """Serves an ASGI application on a free port."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """In real time: Prometheus has no other. A champion that its labels speak well of."""
    made = make_world(cooldown_seconds=3600)
    made.at = time.time() - 3000
    made.ledger.registry.promote(MODEL, made.champion.digest, reason="first", actor="test")
    made.live(200, made.champion)
    return made


@contextmanager
def street(world: World, folder: Path, *, token: str = TOKEN) -> Iterator[tuple[Door, int]]:
    """Exporter, Prometheus, Alertmanager and webhook; gives the door and Alertmanager's port."""
    settings = MonitorSettings(port=0, interval_seconds=0.1, request_retune=False)  # Alertmanager alone shall ask
    door = Door(doors(world.ledger, Keyring(world.project.keys_path), TOKEN), [])
    prometheus, alertmanager = free_port(), free_port()
    (folder / "token").write_text(token)
    with ExitStack() as stack:
        webhook = stack.enter_context(listening(door))
        exporter = stack.enter_context(Exporter(world.ledger, world.store, settings))
        (folder / "alertmanager.yml").write_text(
            _ALERTMANAGER.format(webhook=webhook, token=folder / "token"), encoding="utf-8"
        )
        (folder / "prometheus.yml").write_text(
            _PROMETHEUS.format(rules=_RULES, alertmanager=alertmanager, exporter=exporter.port), encoding="utf-8"
        )
        stack.enter_context(
            program(
                folder,
                "alertmanager",
                alertmanager,
                "--config.file=alertmanager.yml",
                "--storage.path=alertmanager",
                f"--web.listen-address=127.0.0.1:{alertmanager}",
                "--cluster.listen-address=",  # alone
            )
        )
        stack.enter_context(
            program(
                folder,
                "prometheus",
                prometheus,
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=prometheus",
                f"--web.listen-address=127.0.0.1:{prometheus}",
            )
        )
        wait_until(lambda: healthy_scrapes(prometheus) > 0, "a scrape")
        yield door, prometheus


def healthy_scrapes(prometheus: int) -> int:
    query = f'evertune_labels_received_total{{model="{MODEL}"}} > 0'
    answer = httpx.get(f"http://127.0.0.1:{prometheus}/api/v1/query", params={"query": query}).json()
    return len(answer["data"]["result"])


def firing(prometheus: int, name: str) -> bool:
    alerts = httpx.get(f"http://127.0.0.1:{prometheus}/api/v1/alerts").json()["data"]["alerts"]
    return any(alert["labels"]["alertname"] == name and alert["state"] == "firing" for alert in alerts)


def test_drift_reaches_the_retuner_through_prometheus_and_alertmanager(world: World, tmp_path: Path) -> None:
    with street(world, tmp_path) as (door, prometheus):
        assert not firing(prometheus, "ModelHarmfulDrift")
        assert world.ledger.requests.list(MODEL) == []

        world.sign = -1.0  # the world changes, the labels say so
        world.live(100, world.champion)
        wait_until(lambda: bool(world.ledger.requests.list(MODEL)), "a request")
        (request,) = world.ledger.requests.list(MODEL)
        assert request.trigger == "alertmanager"
        labels = request.evidence["labels"]
        assert labels["alertname"] == "ModelHarmfulDrift"
        assert (labels["model"], labels["version"], labels["action"]) == (
            MODEL,
            world.champion.digest[:12],
            "retune",
        )

        heard = len(door.answers)
        wait_until(lambda: len(door.answers) >= heard + 2, "a repetition")
        assert set(door.answers) == {202}
        assert len(world.ledger.requests.list(MODEL)) == 1

        (decided,) = Decider(world.ledger, world.project.settings.retune).step()  # the ledger has the evidence itself
        assert decided.status == "accepted"
        assert world.job().status == "pending"

        world.ledger.registry.promote(MODEL, world.challenger.digest, reason="tested", actor="test")
        wait_until(lambda: not firing(prometheus, "ModelHarmfulDrift"), "the end of the alert")
        assert len(world.ledger.requests.list(MODEL)) == 1


def test_a_wrong_token_asks_nothing(world: World, tmp_path: Path) -> None:
    world.sign = -1.0
    world.live(100, world.champion)
    with street(world, tmp_path, token="another") as (door, _):
        wait_until(lambda: bool(door.answers), "a webhook")
        assert set(door.answers) == {401}
        assert world.ledger.requests.list(MODEL) == []
