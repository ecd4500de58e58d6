"""Real processes: started in order, restarted, given up on, and never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli.up.health import HealthPolicy
from cli.up.program import Program
from cli.up.restarts import RestartPolicy
from cli.up.supervisor import ProcessFailedError, Supervisor

_PATIENCE_SECONDS = 30.0
_QUICK = RestartPolicy(first_delay_seconds=0.01, quick_seconds=60.0, most_quick_crashes=3)

# Answers 200 everywhere; told to, ignores SIGTERM and starts a child that would outlive it.
_SERVER = """
import http.server, os, signal, subprocess, sys
IMMORTAL = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
port, mode = int(sys.argv[1]), sys.argv[2]
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mode in ("stubborn", "parent"):
    child = subprocess.Popen([sys.executable, "-c", IMMORTAL])
    print("child", child.pid)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
print("process", os.getpid(), flush=True)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
_SUPERVISOR = """
import pathlib, sys, threading
from cli.up.program import Program
from cli.up.supervisor import Supervisor
command, address = [sys.executable, "-c", *sys.argv[1:], "parent"], ("127.0.0.1", int(sys.argv[2]))
program = Program("server", command, address, "x.port", "/")
say = lambda name, line: print(name, line, flush=True)
Supervisor([program], pathlib.Path.cwd(), say, stop=threading.Event()).run(lambda: say("up", "ready"))
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def server(name: str = "server", mode: str = "plain") -> Program:
    port = free_port()
    return Program(name, [sys.executable, "-c", _SERVER, str(port), mode], ("127.0.0.1", port), "x.port", "/")


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Running:
    """A supervisor in a thread, and what it said."""

    def __init__(self, programs: list[Program], folder: Path, health: HealthPolicy | None = None) -> None:
        self.lines: list[tuple[str, str]] = []
        self.ready, self.stop, self.kill = threading.Event(), threading.Event(), threading.Event()
        self.error: Exception | None = None
        self._supervisor = Supervisor(
            programs,
            folder,
            lambda *said: self.lines.append(said),
            stop=self.stop,
            kill=self.kill,
            policy=_QUICK,
            health=health,
        )
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._supervisor.run(self.ready.set)
        except ProcessFailedError as error:
            self.error = error

    def said(self, word: str) -> list[int]:
        """Numbers behind a word."""
        return [int(line.split()[1]) for _, line in list(self.lines) if line.startswith(f"{word} ")]

    def join(self) -> None:
        self._thread.join(_PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.kill.set()
        self.join()


def test_each_starts_when_the_one_before_is_ready_and_all_end_together(tmp_path: Path) -> None:
    with Running([server("one"), server("two", "parent")], tmp_path) as running:
        assert running.ready.wait(_PATIENCE_SECONDS), running.lines
        names = [name for name, _ in running.lines]
        assert [line.split()[0] for name, line in running.lines if name == "one"] == ["process", "ready"]
        assert names.index("two") > [line for _, line in running.lines].index(running.lines[1][1])
        (grandchild,) = running.said("child")
        running.stop.set()
        running.join()
        assert running.error is None
        # A child that a program leaves behind is ended with it, whatever it ignores.
        wait_for(lambda: not any(map(alive, [*running.said("process"), grandchild])))


def test_a_crashed_process_is_started_again(tmp_path: Path) -> None:
    with Running([server("one"), server("two")], tmp_path) as running:
        assert running.ready.wait(_PATIENCE_SECONDS), running.lines
        first, untouched = running.said("process")
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: len(running.said("process")) == 3)
        wait_for(lambda: [line for name, line in running.lines if name == "one" and line.startswith("ready")][1:])
        assert any("ended with 137" in line and "starting it again" in line for _, line in running.lines)
        assert alive(untouched)


def test_a_process_that_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    health = HealthPolicy(interval_seconds=0.1, probe_seconds=0.5, most_failures=3)
    with Running([server("one"), server("two")], tmp_path, health) as running:
        assert running.ready.wait(_PATIENCE_SECONDS), running.lines
        hung, untouched = running.said("process")
        os.kill(hung, signal.SIGSTOP)
        wait_for(lambda: [line for name, line in running.lines if name == "one" and line.startswith("ready")][1:])
        assert ("one", "has not answered 3 probes in a row; killed") in running.lines
        assert any(name == "one" and "ended with 137" in line for name, line in running.lines)
        assert not alive(hung)
        assert alive(untouched)


def test_a_process_that_crashes_again_and_again_is_given_up_with_its_status(tmp_path: Path) -> None:
    broken = Program("broken", [sys.executable, "-c", "raise SystemExit(7)"], ("127.0.0.1", 1), "x.port", "/")
    with Running([server("one"), broken], tmp_path) as running:
        running.join()
        assert isinstance(running.error, ProcessFailedError)
        assert "broken ended with 7 again and again" in running.error.message
        assert running.error.details == {"process": "broken", "exit_status": 7}
        assert len([line for _, line in running.lines if "starting it again" in line]) == 2
        assert not running.ready.is_set()
        assert not any(map(alive, running.said("process")))


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = Program("missing", ["no-such-program"], ("127.0.0.1", 1), "x.port", "/")
    with Running([missing], tmp_path) as running:
        running.join()
        assert "ended with 127" in str(running.error)
        assert any("no-such-program does not start" in line for _, line in running.lines)


def test_a_process_that_does_not_end_is_killed_at_the_second_signal(tmp_path: Path) -> None:
    with Running([server("stubborn", "stubborn")], tmp_path) as running:
        assert running.ready.wait(_PATIENCE_SECONDS), running.lines
        running.stop.set()
        (process,) = running.said("process")
        assert alive(process)
        running.kill.set()
        running.join()
        assert ("stubborn", "does not end; killed") in running.lines
        wait_for(lambda: not any(map(alive, [process, *running.said("child")])))


@pytest.fixture
def killed_supervisor(tmp_path: Path) -> Iterator[list[int]]:
    """Processes that a supervisor had when it was killed with -9."""
    command = [sys.executable, "-c", _SUPERVISOR, _SERVER, str(free_port())]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] != "up ready":
        line = process.stdout.readline()
        assert line, lines
        lines.append(line.strip())
    family = [each.pid for each in psutil.Process(process.pid).children(recursive=True)]
    process.kill()
    process.wait()
    process.stdout.close()
    yield family
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_nothing_outlives_a_supervisor_that_is_killed(killed_supervisor: list[int]) -> None:
    assert len(killed_supervisor) == 3  # keeper, server, and the child that the server started
    wait_for(lambda: not any(map(alive, killed_supervisor)))
