"""Has the challenger built in a process of its own, which never outlives this one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from evertune.errors import EvertuneError
from retune.challenger import Challenger, Order

RESULT, ERROR, LOG = "challenger.json", "error.json", "build.log"
_COMMAND = (sys.executable, "-m", "retune.child")
_ROOT = Path(__file__).resolve().parents[1]
_POLL_SECONDS = 0.2
_LOG_TAIL_LINES = 15


class BuilderKilledError(Exception):
    """The builder's process was killed, by whomever: it may be tried again."""


class BuildFailedError(EvertuneError):
    """The challenger cannot be built."""

    code, http_status, exit_code = "challenger_failed", 500, 10


def build_in_child(order: Order, check: Callable[[], None], *, command: Sequence[str] = _COMMAND) -> Challenger:
    """Runs `retune.child`, and waits for what it leaves in the order's folder.

    The child leads a process group of its own and reads from a pipe that this process keeps open. When this process
    dies, however it dies, the kernel closes the pipe, and the child kills its group: search workers included.

    Raises:
        BuildFailedError: The child ended with an error; says which.
        BuilderKilledError: The child was killed.
    """
    order.folder.mkdir(parents=True, exist_ok=True)
    found = _result(order.folder)
    if found is not None:
        return found
    (order.folder / ERROR).unlink(missing_ok=True)
    with (order.folder / LOG).open("ab") as log:
        child = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _hand_over(child, order)
        status = _await(child, check)
    finally:
        _end(child)
    found = _result(order.folder)
    if found is not None:
        return found
    if status < 0:
        raise BuilderKilledError(f"the builder was killed by signal {-status}")
    raise _explain(order.folder, status)


def _hand_over(child: subprocess.Popen[bytes], order: Order) -> None:
    assert child.stdin is not None
    project = order.project
    words = {
        "root": str(project.root),
        "settings": project.settings.model_dump(mode="json"),
        "job_id": order.job_id,
        "folder": str(order.folder),
        "working_folder": str(Path.cwd()),
    }
    with contextlib.suppress(BrokenPipeError):  # it died at once; its status tells
        child.stdin.write(json.dumps(words).encode() + b"\n")
        child.stdin.flush()


def _await(child: subprocess.Popen[bytes], check: Callable[[], None]) -> int:
    while True:
        try:
            return child.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            check()


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kills the whole group; after a good end there is nobody left in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()


def _result(folder: Path) -> Challenger | None:
    path = folder / RESULT
    return Challenger.from_json(json.loads(path.read_bytes())) if path.exists() else None


def _explain(folder: Path, status: int) -> BuildFailedError:
    if (folder / ERROR).exists():
        told = json.loads((folder / ERROR).read_bytes())
        return BuildFailedError(f"no challenger: {told['error']}", fix=told.get("fix"), cause=told)
    tail = "\n".join((folder / LOG).read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
    return BuildFailedError(f"no challenger: the builder ended with {status}\n{tail}", fix=f"Read {folder / LOG}.")
