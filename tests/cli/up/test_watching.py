from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.up.watching import watching
from evertune.settings import Project, load_project

_TOOLS = ("prometheus", "promtool", "amtool")
_MISSING = [name for name in _TOOLS if shutil.which(name) is None]
needs_tools = pytest.mark.skipif(bool(_MISSING), reason=f"{', '.join(_MISSING)} is not installed")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "evertune.toml").write_text(
        "[serve]\nport = 4000\n[monitor]\nport = 4001\n[retune]\nport = 4002\n"
        "[up]\nprometheus_port = 4003\nalertmanager_port = 4004\n"
    )
    return load_project(tmp_path)


@needs_tools
def test_their_own_checkers_accept_the_configuration_which_names_the_projects_ports(project: Project) -> None:
    found = watching(project)
    assert [program.name for program in found.programs] == ["alertmanager", "prometheus"]
    assert found.missing == ()
    folder = project.state / "up"
    checks = (["promtool", "check", "config", "prometheus.yml"], ["amtool", "check-config", "alertmanager.yml"])
    for check in checks:
        done = subprocess.run(check, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    prometheus: dict[str, Any] = yaml.safe_load((folder / "prometheus.yml").read_text())
    targets = [each["static_configs"][0]["targets"] for each in prometheus["scrape_configs"]]
    assert sorted(targets) == [["127.0.0.1:4000"], ["127.0.0.1:4001"]]
    assert prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:4004"]
    text = (folder / "alertmanager.yml").read_text()
    assert "http://127.0.0.1:4002/webhook/alertmanager" in text
    assert str(folder / "webhook-token") in text
    assert all("localhost" not in json.dumps(yaml.safe_load(path.read_text())) for path in folder.glob("*.yml"))


@needs_tools
@pytest.mark.parametrize("token", ["", "set by hand"])
def test_alertmanager_and_the_worker_share_a_token_that_nobody_else_reads(
    project: Project, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("EVERTUNE_RETUNE__WEBHOOK_TOKEN", token)
    found = watching(load_project(project.root))
    path = project.state / "up" / "webhook-token"
    shared = path.read_text()
    assert found.environment == {"EVERTUNE_RETUNE__WEBHOOK_TOKEN": shared}
    assert shared == token if token else len(shared) > 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert all(shared not in " ".join(program.command) for program in found.programs)


def test_what_is_not_installed_is_said_in_a_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project.root))
    found = watching(project)
    assert (found.programs, found.environment) == ((), {})
    assert [line.split(",")[0] for line in found.missing] == [
        "prometheus is not installed",
        "alertmanager is not installed",
    ]
