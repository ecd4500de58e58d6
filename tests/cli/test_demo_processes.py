"""A process left behind must be found, whoever its parent is."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from cli.demo.processes import Processes
from evertune.errors import EvertuneError

_DETACHED_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
__import__("time").sleep(600)
"""


def test_a_detached_grandchild_is_found_and_killed(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "parent.log"
    with Processes(tmp_path / "logs", tmp_path) as processes:
        processes.start("parent", [sys.executable, "-c", _DETACHED_CHILD])
        processes.wait_for("parent", lambda: log.read_text().endswith("\n"), timeout_seconds=30)
    child = int(log.read_text())
    left = processes.left_behind(patience_seconds=0.5)
    assert len(left) == 1
    assert "time.sleep(600)" in left[0]
    psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=10)
    assert processes.left_behind(patience_seconds=10) == []


def test_stop_leaves_nothing(tmp_path: Path) -> None:
    with Processes(tmp_path / "logs", tmp_path) as processes:
        processes.start("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
    assert processes.left_behind(patience_seconds=0.5) == []


def test_a_process_that_ends_early_is_reported_with_its_log(tmp_path: Path) -> None:
    with Processes(tmp_path / "logs", tmp_path) as processes:
        processes.start("broken", [sys.executable, "-c", "raise SystemExit('no such port')"])
        with pytest.raises(EvertuneError, match="no such port"):
            processes.wait_for("broken", lambda: False, timeout_seconds=30)
