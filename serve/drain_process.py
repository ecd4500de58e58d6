"""The worker's handle on its drainer process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from pathlib import Path

from evertune.errors import OverloadedError
from serve.spool import CLOSED, OPEN, Spool

_RESTART_SECONDS = 1.0
_STOP_SECONDS = 20.0  # what the ledger takes in that time is far more than a spool holds between two rounds
_FLUSH_SECONDS = 10.0
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
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Returns when the process is started; it replays what dead workers left by itself."""
        await self._spawn()
        self._tasks = [asyncio.create_task(self._keep_alive()), asyncio.create_task(self._keep_rotating())]

    async def stop(self) -> None:
        """Closes the spool, lets the drainer finish it, and waits for its end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._spool.close()
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            _log.error("the drainer does not end; what is left in the spool is replayed at the next start")
            self._process.kill()
            await self._process.wait()

    async def flush(self) -> None:
        """Waits until all predictions answered so far, by any worker, are in the ledger.

        Raises:
            OverloadedError: That takes too long.
        """
        self._spool.rotate()
        waiting = _with_content(self._spool.folder.parent)
        if not waiting:
            return
        self._poke()
        until = time.monotonic() + _FLUSH_SECONDS
        while waiting & _with_content(self._spool.folder.parent):
            if time.monotonic() > until:
                raise OverloadedError("predictions are still on their way to the ledger", fix="Try again shortly.")
            await asyncio.sleep(0.01)

    def _poke(self) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(b"\n")

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "serve.drainer",
            str(self._project_root),
            str(self._spool.folder),
            stdin=asyncio.subprocess.PIPE,
            cwd=self._project_root,
        )

    async def _keep_alive(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            _log.error("the drainer ended with code %s; starting it again", code)
            await asyncio.sleep(_RESTART_SECONDS)
            with contextlib.suppress(OSError):  # out of processes: try again
                await self._spawn()

    async def _keep_rotating(self) -> None:
        while True:
            await asyncio.sleep(self._rotate_seconds)
            try:
                self._spool.rotate()
            except OSError as error:
                _log.error("the spool cannot be rotated: %s", error)
            self._poke()


def _with_content(root: Path) -> set[tuple[str, str]]:
    """Spool files that hold anything, by owner and number, whether open or closed."""
    found = set()
    for path in (*root.glob(f"*/*{OPEN}"), *root.glob(f"*/*{CLOSED}")):
        with contextlib.suppress(FileNotFoundError):  # drained, or renamed and found again below its new name
            if path.stat().st_size:
                found.add((path.parent.name, path.stem))
    return found
