"""The project's real processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from evertune.errors import EvertuneError, JobError
from evertune.settings import Project

_PATIENCE_SECONDS = 300.0


def evertune(project: Project, *arguments: str) -> Any:
    """Runs a command with `--json` and gives its answer.

    Raises:
        JobError: It failed; holds the end of what it said.
    """
    command = [*_program(), *arguments, "--json"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise JobError(
            f"evertune {' '.join(arguments)} ended with {done.returncode}: {(done.stderr + done.stdout)[-600:]}", fix=""
        )
    return json.loads(done.stdout)


@contextmanager
def running(project: Project, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the project while the block runs; what it says goes to `<first word>.log`."""
    with (project.root / f"{arguments[0]}.log").open("ab") as log:
        process = subprocess.Popen([*_program(), *arguments], cwd=project.root, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_until(what: str, found: Callable[[], bool]) -> None:
    """Looks until it is so.

    Raises:
        JobError: It never is.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if found():
                return
        except (httpx.TransportError, EvertuneError):
            pass
        time.sleep(0.2)
    raise JobError(f"waited {_PATIENCE_SECONDS:.0f} seconds in vain for {what}", fix="Read the logs in its folder.")


def _program() -> list[str]:
    return [sys.executable, "-c", "from cli.main import main; main()"]
