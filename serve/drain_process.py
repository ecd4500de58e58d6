"""The worker's handle on its drainer process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from evertune.errors import OverloadedError
from serve.spool import CLOSED, OPEN, Spool

_RESTART_SECONDS = 1.0
_STOP_SECONDS = 20.0  # what the ledger takes in that time is far more than a spool holds between two rounds
_FLUSH_SECONDS = 10.0
_LOOK_SECONDS = 0.01
_log = logging.getLogger("evertune.serve")


class DrainProcess:
    """Starts the drainer, starts it again when it dies, and asks it to hurry.

    Args:
        project_root: Where the drainer finds its settings.
        spool: Of this worker.
        rotate_seconds: How often the current file is closed, so that it can be drained.
    """

    def __init__(self, project_root: Path, spool: Spool, *, rotate_seconds: float) -> None:
        self._project_root, self._spool, self._rotate_seconds = project_root, spool, rotate_seconds
        self._process = self._spawn()  # replays at once what dead workers left
        self._restart_at = 0.0
        self._task = asyncio.create_task(self._keep_going())

    async def stop(self) -> None:
        """Closes the spool, lets the drainer finish it, and waits for its end."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._spool.close()
        _stdin(self._process).close()
        until = time.monotonic() + _STOP_SECONDS
        while self._process.poll() is None and time.monotonic() < until:
            await asyncio.sleep(_LOOK_SECONDS)
        if self._process.poll() is None:
            _log.error("the drainer does not end; what is left in the spool is replayed at the next start")
            self._process.kill()
            self._process.wait()

    async def flush(self) -> None:
        """Waits until all predictions answered so far, by any worker, are in the ledger.

        Raises:
            OverloadedError: That takes too long, or there is no room for the next file.
        """
        try:
            self._spool.rotate()
        except OSError as error:
            raise OverloadedError(f"the spool cannot be handed on: {error}", fix="Free disk space.") from error
        waiting = _with_content(self._spool.folder.parent)
        self._poke()
        until = time.monotonic() + _FLUSH_SECONDS
        while waiting:
            if time.monotonic() > until:
                raise OverloadedError("predictions are still on their way to the ledger", fix="Try again shortly.")
            await asyncio.sleep(_LOOK_SECONDS)
            waiting &= _with_content(self._spool.folder.parent)

    def _poke(self) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # it has much to do already, or has just died
            os.write(_stdin(self._process).fileno(), b"\n")

    def _spawn(self) -> subprocess.Popen[bytes]:
        """`subprocess` closes all other descriptors, the listening socket among them; uvloop's own does not."""
        command = [sys.executable, "-m", "serve.drainer", str(self._project_root), str(self._spool.folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=self._project_root)
        os.set_blocking(_stdin(process).fileno(), False)
        return process

    async def _keep_going(self) -> None:
        while True:
            await asyncio.sleep(self._rotate_seconds)
            try:
                self._spool.rotate()
                self._poke()
                self._keep_alive()
            except OSError as error:  # no disk, no processes: it may pass
                _log.error("the spool cannot be handed on: %s", error)

    def _keep_alive(self) -> None:
        if self._process.poll() is None or time.monotonic() < self._restart_at:
            return
        _log.error("the drainer ended with code %s; starting it again", self._process.returncode)
        self._restart_at = time.monotonic() + _RESTART_SECONDS
        with contextlib.suppress(OSError):
            _stdin(self._process).close()
        self._process = self._spawn()


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None, "it was opened as a pipe"
    return process.stdin


def _with_content(root: Path) -> set[tuple[str, str]]:
    """Spool files that hold anything, by owner and number, whether open or closed."""
    found = set()
    for path in (*root.glob(f"*/*{OPEN}"), *root.glob(f"*/*{CLOSED}")):
        with contextlib.suppress(FileNotFoundError):  # drained, or renamed and found again below its new name
            if path.stat().st_size:
                found.add((path.parent.name, path.stem))
    return found
