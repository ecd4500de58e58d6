"""The child process: its answer, its errors, and that nothing of it outlives whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from retune.building import BuilderKilledError, BuildFailedError, build_in_child
from retune.challenger import Challenger, Order
from retune.holding import StoppedError

World = Any  # of conftest.py
_PATIENCE_SECONDS = 20.0

# A builder with a search worker of its own that would live for an hour, and a wish never to be found.
_WITH_GRANDCHILD = """
import json, subprocess, sys, time
from retune.lifeline import die_with
order = json.loads(sys.stdin.buffer.readline())
die_with(0)
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
open(order["folder"] + "/grandchild", "w").write(str(worker.pid) + "\\n")
time.sleep(3600)
"""
_SENDS_RESULT = """
import json, sys, pathlib
order = json.loads(sys.stdin.buffer.readline())
made = {"digest": "d" * 64, "trial": {"job": order["job_id"]}, "trials": 3}
pathlib.Path(order["folder"], "challenger.json").write_text(json.dumps(made))
"""
_PARENT = """
import sys, pathlib
from evertune.settings import load_project
from retune.building import build_in_child
from retune.challenger import Order
project = load_project(pathlib.Path(sys.argv[1]))
order = Order(project, 1, pathlib.Path(sys.argv[2]))
build_in_child(order, lambda: None, command=[sys.executable, "-c", sys.argv[3]])
"""


def never() -> None:
    """Nothing is wrong."""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def grandchild(folder: Path) -> psutil.Process:
    path = folder / "grandchild"
    wait_for(lambda: path.exists() and path.read_text().endswith("\n"))
    return psutil.Process(int(path.read_text()))


def gone(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def order(world: World, tmp_path: Path) -> Order:
    return Order(world.project, 7, tmp_path / "study")


def test_the_child_leaves_its_result_in_the_folder(order: Order) -> None:
    made = build_in_child(order, never, command=[sys.executable, "-c", _SENDS_RESULT])
    assert made == Challenger("d" * 64, {"job": 7}, 3)
    again = build_in_child(order, never, command=["no-such-program"])
    assert again == made  # a worker that was killed after the build does not build again


def test_an_error_of_the_child_is_told(order: Order) -> None:
    with pytest.raises(BuildFailedError, match=r"ended with 1\n[^$]*ZeroDivisionError") as caught:
        build_in_child(order, never, command=[sys.executable, "-c", "1/0"])
    assert "build.log" in str(caught.value.fix)


def test_a_killed_child_may_be_tried_again(order: Order) -> None:
    suicide = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(BuilderKilledError, match="signal 9"):
        build_in_child(order, never, command=[sys.executable, "-c", suicide])


def test_a_stop_takes_the_whole_family_along(order: Order) -> None:
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise StoppedError

    found: list[psutil.Process] = []

    def stop_when_it_runs() -> None:
        found.append(grandchild(order.folder))
        stop.set()

    thread = threading.Thread(target=stop_when_it_runs)
    thread.start()
    with pytest.raises(StoppedError):
        build_in_child(order, check, command=[sys.executable, "-c", _WITH_GRANDCHILD])
    thread.join()
    wait_for(lambda: gone(found[0]))


@pytest.mark.parametrize("victim", ["worker", "builder"])
def test_no_orphan_survives_a_kill(order: Order, victim: str) -> None:
    command = [sys.executable, "-c", _PARENT, str(order.project.root), str(order.folder), _WITH_GRANDCHILD]
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    worker = grandchild(order.folder)
    builder = worker.parent()
    assert builder is not None
    os.kill(parent.pid if victim == "worker" else builder.pid, signal.SIGKILL)
    parent.wait(_PATIENCE_SECONDS)
    wait_for(lambda: gone(worker) and gone(builder))
