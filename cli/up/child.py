"""One running process of `evertune up`, in a process group of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx

from cli.up.program import Program

_KEEPER = Path(__file__).with_name("keeper.py")
_MOST_LINE_BYTES = 16_384
_PROBE_SECONDS = 2.0


class Child:
    """Starts at once.

    Args:
        program: What to run.
        working_folder: Of the project.
        say: Gets each line of its output; called from a thread.
    """

    def __init__(self, program: Program, working_folder: Path, say: Callable[[str, str], None]) -> None:
        self.program = program
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **program.environment}
        self._keeper = subprocess.Popen(
            [sys.executable, str(_KEEPER), *program.command],
            cwd=working_folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._is_over = False
        self._pump = threading.Thread(target=self._read, args=(say,), name=f"log of {program.name}", daemon=True)
        self._pump.start()

    def is_ready(self, timeout_seconds: float = _PROBE_SECONDS) -> bool:
        """Whether it answers as it does once it is up."""
        try:
            answer = httpx.get(f"{self.program.url}{self.program.ready_path}", timeout=timeout_seconds)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK

    def ended(self) -> int | None:
        """Its exit code, as shells count it; None while it runs. After an end nothing is left of its group."""
        code = self._keeper.poll()
        if code is None:
            return None
        self._end_group()  # what the program has left behind
        return code if code >= 0 else 128 - code

    def ask_to_end(self) -> None:
        """SIGTERM, to the program alone: it ends its children as it likes."""
        self._keeper.send_signal(signal.SIGTERM)  # does nothing after its end

    def kill(self) -> None:
        """Ends the whole group, now."""
        self._end_group()

    def _end_group(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._keeper.pid, signal.SIGKILL)
        self._keeper.wait()
        self._pump.join(_PROBE_SECONDS)
        assert self._keeper.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._keeper.stdin.close()

    def _read(self, say: Callable[[str, str], None]) -> None:
        assert self._keeper.stdout is not None
        with self._keeper.stdout as output:
            while line := output.readline(_MOST_LINE_BYTES):
                say(self.program.name, line.decode(errors="replace").rstrip("\r\n"))
