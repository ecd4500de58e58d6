"""Prometheus and Alertmanager with the project's configuration, where they are installed."""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from cli.up.program import Program
from evertune.files import write_atomic
from evertune.settings import Project

_ROOT = Path(__file__).resolve().parents[2]
_RULES = _ROOT / "monitoring" / "rules"
_HOST = "127.0.0.1"
_NAMES = {"prometheus": ("prometheus",), "alertmanager": ("prometheus-alertmanager", "alertmanager")}  # Debian's first
_TOKEN_VARIABLE = "EVERTUNE_RETUNE__WEBHOOK_TOKEN"  # the name of a variable, not a secret


@dataclass(frozen=True)
class Watching:
    """What watches the project's metrics.

    Attributes:
        programs: In the order in which they start.
        missing: A line for each program that is not installed.
        environment: For the re-tune worker: the token that Alertmanager presents.
    """

    programs: tuple[Program, ...]
    missing: tuple[str, ...]
    environment: dict[str, str]


def watching(project: Project) -> Watching:
    """Renders the samples under `deploy/` with the project's ports, into its state folder, where the data goes, too."""
    found = {name: next(filter(None, map(shutil.which, names)), None) for name, names in _NAMES.items()}
    missing = tuple(
        f"{name} is not installed, so it is left out (Debian: apt-get install {_NAMES[name][0]})"
        for name, path in found.items()
        if path is None
    )
    programs, environment = list[Program](), dict[str, str]()
    if found["prometheus"] is not None:
        if found["alertmanager"] is not None:
            token = project.settings.retune.webhook_token or secrets.token_urlsafe(32)
            environment[_TOKEN_VARIABLE] = token
            programs.append(_alertmanager(project, found["alertmanager"], token))
        programs.append(_prometheus(project, found["prometheus"]))
    return Watching(tuple(programs), missing, environment)


def _alertmanager(project: Project, path: str, token: str) -> Program:
    folder, port = _folder(project), project.settings.up.alertmanager_port
    secret = folder / "webhook-token"
    write_atomic(secret, token.encode())
    text = _render(project, "deploy/alertmanager/alertmanager.yml")
    write_atomic(folder / "alertmanager.yml", text.encode())
    command = [path, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'alertmanager'}"]
    command += [f"--web.listen-address={_HOST}:{port}", "--cluster.listen-address=", "--log.level=warn"]  # alone
    return Program("alertmanager", command, (_HOST, port), "up.alertmanager_port", "/-/ready")


def _prometheus(project: Project, path: str) -> Program:
    folder, port = _folder(project), project.settings.up.prometheus_port
    write_atomic(folder / "prometheus.yml", _render(project, "deploy/prometheus/prometheus.yml").encode())
    command = [path, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'prometheus'}"]
    command += [f"--web.listen-address={_HOST}:{port}", "--log.level=warn"]
    return Program("prometheus", command, (_HOST, port), "up.prometheus_port", "/-/ready", page="/alerts")


def _render(project: Project, sample: str) -> str:
    """A sample with the places of this machine and this project."""
    settings = project.settings
    ports = {
        3000: settings.serve.port,
        9093: settings.up.alertmanager_port,
        9464: settings.monitor.port,
        9465: settings.retune.port,
    }
    text = (_ROOT / sample).read_text(encoding="utf-8")
    text = re.sub(r"localhost:(\d+)", lambda found: f"{_HOST}:{ports.get(int(found[1]), found[1])}", text)
    text = text.replace("/etc/prometheus/", f"{_RULES}/")
    return text.replace("/etc/alertmanager/evertune-webhook-token", str(_folder(project) / "webhook-token"))


def _folder(project: Project) -> Path:
    folder = project.state.resolve() / "up"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # the token in it is nobody else's business
    return folder
