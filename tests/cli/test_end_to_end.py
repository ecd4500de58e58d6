"""As a user would: a project outside the repository, a search, an export, a real server, the README's curl lines."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
_README_BLOCK = re.compile(r"runs this block as printed -->\n```sh\n(.*?)```", re.DOTALL)
_START_SECONDS = 60.0


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """As in a terminal with the environment activated; threads as on a small machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EVERTUNE_")}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "OMP_NUM_THREADS": "1", "EVERTUNE_SERVE__PORT": str(_free_port())}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A project named fashion, with a champion after two short trials."""
    folder = tmp_path_factory.mktemp("elsewhere") / "fashion"
    _evertune(environment, folder.parent, "init", "fashion")
    # A laxer limit than the default: this is about the road, and a loaded machine measures long latencies.
    limits = {**environment, "EVERTUNE_LIMITS__LATENCY_SECONDS": "1.0"}
    tuned = _evertune(limits, folder, "tune", "--max-trials", "2", "--max-epochs", "1", "--workers", "1", "--json")
    assert Path(tuned["picture"]).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert {trial["state"] for trial in tuned["trials"]} <= {"completed", "pruned"}
    exported = _evertune(limits, folder, "export", "--promote", "--json")
    assert any(each["recipe"].startswith("int8") for each in exported["attestation"]["candidates"])
    return folder


@pytest.fixture
def server(project: Path, environment: dict[str, str]) -> Iterator[str]:
    """`bentoml serve` in the project's folder; its URL."""
    url = f"http://localhost:{environment['EVERTUNE_SERVE__PORT']}"
    with (project / "serve.log").open("wb") as log:
        process = subprocess.Popen(["bentoml", "serve"], cwd=project, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_ready(f"{url}/v2/health/ready", process, project / "serve.log")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed; the README's block needs it")
def test_readme_curl_lines_work_as_printed(project: Path, server: str, environment: dict[str, str]) -> None:
    found = _README_BLOCK.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found is not None
    script = found.group(1).replace("localhost:3000", server.removeprefix("http://"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads((project / "answer.json").read_text())
    assert 0 <= answer["predictions"][0]["confidence"] <= 1
    assert '"accepted":1' in done.stdout.replace(" ", "")
    assert '"prediction_ids"' in done.stdout
    status = _evertune(environment, project, "status", "--json")["models"][0]
    assert status["champion"]["digest"] == answer["digest"]


def _evertune(environment: dict[str, str], folder: Path, *arguments: str) -> Any:
    command = [str(BIN / "evertune"), *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"not ready in {_START_SECONDS} s:\n{log.read_text()}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
