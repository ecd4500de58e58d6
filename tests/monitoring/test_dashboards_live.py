"""Every query of every dashboard, asked of a real Prometheus that scrapes a real exporter and a real server."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.demo.processes import Processes
from evertune.bundle import BundleStore
from evertune.keys import Keyring
from evertune.ledger import Ledger
from evertune.settings import Project, load_project
from monitoring.dashboards.__main__ import JSON_FOLDER
from monitoring.dashboards.book import BOARDS
from monitoring.dashboards.picture import draw
from monitoring.dashboards.prometheus import Prometheus
from monitoring.dashboards.reading import Reading, read
from monitoring.dashboards.span import Span
from monitoring.dashboards.variables import options
from serve.command import bentoml_command

World = Any  # of conftest.py

pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")

_RULES = Path(__file__).resolve().parents[2] / "monitoring" / "rules"
_SETTINGS = """\
[serve]
port = {serve}
registry_poll_seconds = 0.1
[monitor]
port = {monitor}
interval_seconds = 0.2
"""
_PROMETHEUS = """\
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: ["{rules}/*.yml"]
scrape_configs:
  - job_name: evertune-monitor
    static_configs: [{{targets: ["127.0.0.1:{monitor}"]}}]
  - job_name: evertune-serve
    static_configs: [{{targets: ["127.0.0.1:{serve}"]}}]
"""
_SPAN_SECONDS = 120.0
_ROWS = [[2.0, -1.0], [-0.5, 0.4], [0.1, 1.9], [3.0, 1.0], [-1.0, 0.0]]


@dataclass
class Traffic:
    """Requests of five rows each, most of them labelled, one label in ten against the prediction."""

    url: str
    key: str
    rows: dict[str, int] = field(default_factory=dict)  # by digest
    failures: list[str] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Traffic:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=30) as client:
            for number in itertools.count():
                if self._ending.is_set():
                    return
                try:
                    self._ask(client, number)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))

    def _ask(self, client: httpx.Client, number: int) -> None:
        rows = [[first + number % 7 / 10, second] for first, second in _ROWS]
        answer = client.post("/predict", json={"inputs": {"x": rows}}).raise_for_status().json()
        found = answer["predictions"]
        other = {"no": "yes", "yes": "no"}
        labels = [
            {"id": each["id"], "label": other[each["label"]] if (number + index) % 10 == 0 else each["label"]}
            for index, each in enumerate(found[:4])
        ]
        client.post("/labels", json={"labels": labels}).raise_for_status()
        self.rows[answer["digest"]] = self.rows.get(answer["digest"], 0) + len(found)


@dataclass
class Street:
    """What runs, and how to ask."""

    world: World
    prometheus: Prometheus
    traffic: Traffic
    champions: list[str]
    quiet: dict[str, list[str]]  # queries without an answer before the first request, by dashboard

    def read(self, name: str, **wanted: str) -> Reading:
        return ask(self.prometheus, name, **wanted)


def span() -> Span:
    """The last two minutes."""
    now = time.time()
    return Span(now - _SPAN_SECONDS, now, scrape_seconds=0.5)


def ask(prometheus: Prometheus, name: str, **wanted: str) -> Reading:
    board = json.loads((JSON_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return read(board, prometheus, span(), wanted)


def seen(prometheus: Prometheus, expression: str) -> bool:
    """Whether it would give a line: more than one point of the grid."""
    return any(len(series.points) > 1 for series in prometheus.range(expression, span()))


def wait_until(condition: Callable[[], Any], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=5).status_code == httpx.codes.OK
    return False


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def start(project: Project, processes: Processes, prometheus_port: int) -> None:
    serve, monitor = project.settings.serve.port, project.settings.monitor.port
    config = project.root / "prometheus.yml"
    config.write_text(_PROMETHEUS.format(rules=_RULES, monitor=monitor, serve=serve), encoding="utf-8")
    program = str(shutil.which("prometheus"))
    arguments = [f"--config.file={config}", f"--storage.tsdb.path={project.root / 'tsdb'}"]
    processes.start("prometheus", [program, *arguments, f"--web.listen-address=127.0.0.1:{prometheus_port}"])
    processes.start("serve", *bentoml_command(project))
    processes.start("monitor", [str(Path(sys.executable).with_name("evertune")), "monitor"])
    for name, url in (
        ("serve", f"http://127.0.0.1:{serve}/v2/health/ready"),
        ("monitor", f"http://127.0.0.1:{monitor}/metrics"),
        ("prometheus", f"http://127.0.0.1:{prometheus_port}/-/ready"),
    ):
        processes.wait_for(name, lambda url=url: answers(url), timeout_seconds=60)  # type: ignore[misc]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory, world_class: Callable[..., World]) -> Iterator[Street]:
    """A champion with traffic, a re-tune that goes through its phases and promotes, then traffic on the new one."""
    root = tmp_path_factory.mktemp("watched")
    serve, monitor, prometheus_port = free_ports(3)
    (root / "evertune.toml").write_text(_SETTINGS.format(serve=serve, monitor=monitor), encoding="utf-8")
    project = load_project(root)
    key = Keyring(project.keys_path).create("test", {"predict", "label"})
    with Ledger.open(project.ledger_url) as ledger, Processes(root / "logs", root) as processes:
        world = world_class(ledger, BundleStore(project.bundle_url), time.time, root)
        first, second = world.bundle(), world.bundle(temperature=2.0)
        world.promote(first)
        start(project, processes, prometheus_port)
        prometheus = Prometheus(f"http://127.0.0.1:{prometheus_port}")
        wait_until(lambda: seen(prometheus, "model:evertune_predictions:rate5m"))
        quiet = {
            name: [answer.panel["title"] for answer in ask(prometheus, name).answers if not answer.finite]
            for name in BOARDS
        }
        with Traffic(f"http://127.0.0.1:{serve}", key) as traffic:
            wait_until(lambda: traffic.rows.get(first.digest, 0) > 500)
            retune(world, prometheus, second)
            wait_until(lambda: traffic.rows.get(second.digest, 0) > 800)
            yield Street(world, prometheus, traffic, [first.digest, second.digest], quiet)
    assert processes.left_behind() == []


def retune(world: World, prometheus: Prometheus, challenger: Any) -> None:
    """A job as the re-tuner would leave it, held in its gate until Prometheus has seen it there for a while."""
    request, _ = world.ledger.requests.add("fashion", "manual", "the test asks", {})
    other, _ = world.ledger.requests.add("fashion", "schedule", "the clock asks", {})
    world.ledger.requests.decide(other.id, "suppressed", "no_evidence")
    job = world.ledger.jobs.create("fashion", request.id)
    world.ledger.jobs.claim("test", 600)
    seconds = {"train_rows": 1.5, "search": 31.0}
    world.ledger.jobs.update(job.id, "test", phase="gate", detail={"seconds": seconds})
    running = 'evertune_retune_phase{phase="gate"} == 1 and on (model) evertune_retune_running == 1'
    wait_until(lambda: seen(prometheus, running))
    world.promote(challenger)
    world.ledger.jobs.finish(job.id, "test", "promoted", {"seconds": {**seconds, "gate": 4.0}})


def unanswered(reading: Reading) -> list[str]:
    """Queries without a single number."""
    found = [f"{answer.panel['title']}: {answer.expression}" for answer in reading.answers if not answer.finite]
    return found + [f"{event.panel['name']}: {event.expression}" for event in reading.events if not event.finite]


@pytest.mark.parametrize("name", BOARDS)
def test_every_query_of_a_dashboard_gives_numbers_while_traffic_runs(street: Street, name: str, tmp_path: Path) -> None:
    reading = street.read(name)
    deadline = time.monotonic() + 30
    while unanswered(reading) and time.monotonic() < deadline:
        time.sleep(0.5)
        reading = street.read(name)
    assert unanswered(reading) == []
    assert draw(reading, tmp_path / "picture.png") == []

    assert (tmp_path / "picture.png").stat().st_size > 20_000


@pytest.mark.parametrize("name", ["fleet", "model", "retuning"])
@pytest.mark.parametrize("window", ["1d", "7d"])
def test_every_other_window_gives_numbers(street: Street, name: str, window: str) -> None:
    assert unanswered(street.read(name, window=window)) == []


@pytest.mark.parametrize("name", BOARDS)
def test_every_variable_offers_something(street: Street, name: str) -> None:
    board = json.loads((JSON_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    offered = {each["name"]: options(each, street.prometheus, span()) for each in board["templating"]["list"]}
    assert offered["model"] == ["fashion"]
    assert all(offered.values())


def test_before_the_first_request_only_what_rows_labels_or_a_retune_define_is_empty(street: Street) -> None:
    assert {name: sorted(set(titles)) for name, titles in street.quiet.items()} == {
        "fleet": ["Accuracy", "Champions"],
        "model": [
            *("Accuracy", "Accuracy over the window", "Accuracy since promotion", "Estimate"),
            *("Feature drift over time", "Features that moved furthest", "Labelled"),
        ],
        "retuning": [
            *("Accuracy, champion by champion", "Age of the last wish"),
            *("How long its phases took", "Since the last promotion"),
        ],
        "serving": ["Mean confidence", "Rows a run of the model"],
    }


def test_what_is_chosen_narrows_what_is_shown(street: Street) -> None:
    assert [answer.series for answer in street.read("model", model="no such model").answers if answer.series] == []
    (instance,) = street.prometheus.label_values("evertune_ready", "instance", span())
    reading = street.read("serving", instance=instance)
    assert r"127\\.0\\.0\\.1" in reading.answers[0].expression
    assert unanswered(reading) == []


def test_a_swap_is_marked_when_it_happened_and_a_retune_as_long_as_it_ran(street: Street) -> None:
    swaps, retunes = street.read("fleet").events
    decided = [each.decided_at for each in street.world.ledger.registry.history("fashion")]
    marked = {series.labels["version"]: series.points[0] for series in swaps.series}
    for digest, at in zip(street.champions, decided, strict=True):
        seen_at, value = marked[digest[:12]]
        assert value == pytest.approx(at, abs=1)
        assert seen_at - at < 10
    (job,) = street.world.ledger.jobs.list("fashion", 1)
    assert all(job.created_at - 2 <= at <= job.updated_at + 10 for at, _ in retunes.series[0].points)


def test_the_traffic_never_failed_and_is_what_the_dashboards_say(street: Street) -> None:
    assert street.traffic.failures == []
    (fraction,) = (
        answer.series[0].points[-1][1] for answer in street.read("model").answers if answer.panel["title"] == "Labelled"
    )
    assert fraction == pytest.approx(0.8, abs=0.05)
