"""The demo's project folder: settings for five minutes on two cores, otherwise like any user's."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from evertune.keys import Keyring
from evertune.settings import FILE_NAME, Project, load_project

_SETTINGS = """\
# Made by `evertune demo`: a project like any other, with waits and budgets short enough to watch.
[project]
task = "{task}"

[limits]
latency_seconds = 0.002   # of one row, one thread
size_bytes = 1_500_000

[tune]
max_trials = {trials}
max_epochs = {epochs}
workers = 2
seed = {seed}

[serve]
port = {serve_port}

[monitor]
port = {monitor_port}
interval_seconds = 0.5
run_length_labels = 10_000

[retune]
port = {retune_port}
webhook_token = "{token}"
poll_seconds = 0.5
min_train_labels = 1200
min_gate_labels = 250
gate_wait_seconds = 120
min_report_labels = 300
report_wait_seconds = 90
cooldown_seconds = 600
max_trials = 2
max_epochs = 8
"""
_BENTOFILE = """\
service: "serve.service:Evertune"
"""


@dataclass(frozen=True)
class DemoProject:
    """The project, the task it serves, and a key for its client."""

    project: Project
    api_key: str

    @property
    def server_url(self) -> str:
        """Of `bentoml serve`."""
        return f"http://127.0.0.1:{self.project.settings.serve.port}"

    @property
    def metrics_url(self) -> str:
        """Of the exporter."""
        return f"http://127.0.0.1:{self.project.settings.monitor.port}/metrics"


def create_demo_project(folder: Path, *, seed: int, trials: int, epochs: int) -> DemoProject:
    """Writes the settings into `folder`, which must be new or empty, and creates an API key."""
    folder.mkdir(parents=True, exist_ok=True)
    task = Path(__file__).resolve().parents[2] / "examples" / "fashion_mnist" / "task.py"
    serve_port, monitor_port, retune_port = free_ports(3)
    text = _SETTINGS.format(
        task=f"{task}:FashionMnist",
        trials=trials,
        epochs=epochs,
        seed=seed,
        serve_port=serve_port,
        monitor_port=monitor_port,
        retune_port=retune_port,
        token=secrets.token_urlsafe(24),
    )
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    (folder / "bentofile.yaml").write_text(_BENTOFILE, encoding="utf-8")
    project = load_project(folder)
    return DemoProject(project, Keyring(project.keys_path).create("demo client", {"predict", "label"}))


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on now, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
