"""The whole of `evertune up`, with the real server, exporter, worker, Prometheus and Alertmanager."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from evertune.settings import Project, load_project

pytestmark = pytest.mark.timeout(240)
_PATIENCE_SECONDS = 90.0
_EVERTUNE = str(Path(sys.executable).with_name("evertune"))
_TASK = """from evertune import task
from evertune.tensors import TensorSpec


class Task(task.Task):  # whose jobs the worker takes
    name = "shoes"
    labels = ("left", "right")
    inputs = (TensorSpec("x", "float32", (2,)),)

    def load(self): ...

    def build(self, hp): ...
"""
_PORTS = ("serve.port", "monitor.port", "retune.port", "up.prometheus_port", "up.alertmanager_port")
_MISSING = [name for name in ("prometheus", "prometheus-alertmanager") if not Path("/usr/bin", name).exists()]


def wait_for(condition: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("EVERTUNE_")}


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Without a champion, on ports that are free now."""
    keys = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    (tmp_path / "evertune.toml").write_text("".join(f"{key} = {port}\n" for key, port in keys.items()))
    (tmp_path / "task.py").write_text(_TASK)
    return load_project(tmp_path)


@pytest.fixture
def up(project: Project) -> Iterator[tuple[Project, subprocess.Popen[bytes], Path]]:
    log = project.root / "up.log"
    with log.open("wb") as file:
        process = subprocess.Popen([_EVERTUNE, "up"], cwd=project.root, env=environment(), stdout=file, stderr=file)
    try:
        wait_for(lambda: "all is ready" in log.read_text() or process.poll() is not None, log)
        assert process.poll() is None, log.read_text()
        yield project, process, log
    finally:
        process.kill()  # what it started ends with it
        process.wait()


def of_project(root: Path) -> list[psutil.Process]:
    """Everything that runs for this project, whoever its parent is."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = str(root) in (process.cwd(), process.environ().get("EVERTUNE_PROJECT"))
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def get(port: int, path: str) -> Any:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10).json()["data"]


def targets(prometheus: int) -> set[str]:
    """What Prometheus scrapes; it takes them up some seconds after its start."""
    return {str(each["scrapeUrl"]) for each in get(prometheus, "/api/v1/targets")["activeTargets"]}


@pytest.mark.skipif(bool(_MISSING), reason=f"{', '.join(_MISSING)} is not installed")
def test_all_of_it_runs_and_all_of_it_ends(up: tuple[Project, subprocess.Popen[bytes], Path]) -> None:
    project, process, log = up
    settings = project.settings
    text = log.read_text()
    ports = (settings.serve.port, settings.monitor.port, settings.retune.port)
    watching = (settings.up.prometheus_port, settings.up.alertmanager_port)
    assert all(f"http://127.0.0.1:{port}" in text for port in (*ports, *watching))
    assert "no champion to serve yet" in text
    names = ("serve", "monitor", "retune", "alertmanager", "prometheus")
    starts = [text.index(f"{name:<12} | ready at") for name in names]
    assert starts == sorted(starts)

    expected = {f"http://127.0.0.1:{port}/metrics" for port in ports[:2]}
    wait_for(lambda: targets(watching[0]) == expected, log)
    assert get(watching[0], "/api/v1/rules")["groups"]

    (monitor,) = (each for each in of_project(project.root) if each.cmdline()[1:] == [_EVERTUNE, "monitor"])
    monitor.kill()
    wait_for(lambda: log.read_text().count("monitor      | ready at") == 2, log)

    second = subprocess.run(
        [_EVERTUNE, "up"], cwd=project.root, env=environment(), capture_output=True, text=True, check=False
    )
    assert (second.returncode, second.stdout) == (3, "")
    assert f"127.0.0.1:{ports[0]}, where serve would listen, is in use" in second.stderr

    process.send_signal(signal.SIGINT)
    assert process.wait(_PATIENCE_SECONDS) == 0
    assert log.read_text().endswith("up           | all processes have ended\n")
    wait_for(lambda: not of_project(project.root), log)


def test_killed_it_leaves_no_server_behind(up: tuple[Project, subprocess.Popen[bytes], Path]) -> None:
    project, process, log = up
    assert len(of_project(project.root)) > 6
    process.kill()
    process.wait()
    wait_for(lambda: not of_project(project.root), log)
