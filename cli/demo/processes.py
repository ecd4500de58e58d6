"""The demo's real processes: started with their logs in files, stopped gracefully, and searched for afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

from evertune.errors import EvertuneError

_MARK = "EVERTUNE_DEMO_PROCESS"  # in the environment of every descendant, so that none can hide


class Processes:
    """A family of child processes. Use it as a context manager: leaving it stops them all.

    Within it, whatever this process starts (search workers, too) carries the family's mark.

    Args:
        logs: Folder for one log file a process.
        working_folder: Of every process: the demo's project.
    """

    def __init__(self, logs: Path, working_folder: Path) -> None:
        self._logs = logs
        self._working_folder = working_folder
        self._mark = uuid.uuid4().hex
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Starts `command`; its output goes to `<logs>/<name>.log`."""
        variables = {**os.environ, **(environment or {})}
        variables[_MARK] = self._mark
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                cwd=self._working_folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, name: str, condition: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Waits until `condition` holds.

        Raises:
            EvertuneError: The process ended, or the time is over; with the end of its log.
        """
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            ended = self._running[name].poll() is not None
            if ended or time.monotonic() > deadline:
                why = f"ended with {self._running[name].returncode}" if ended else f"not up in {timeout_seconds:.0f} s"
                raise EvertuneError(f"{name}: {why}\n{self._log_tail(name)}", fix=f"Read {self._logs / name}.log.")
            time.sleep(0.1)

    def check(self) -> None:
        """Raises EvertuneError if a process has ended before its time."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise EvertuneError(
                    f"{name} ended with {process.returncode}\n{self._log_tail(name)}",
                    fix=f"Read {self._logs / name}.log.",
                )

    def _log_tail(self, name: str) -> str:
        text = (self._logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-15:])

    def stop(self) -> None:
        """Asks every process to end (SIGTERM), youngest first, and kills what has not within 15 seconds."""
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def left_behind(self, *, patience_seconds: float = 10.0) -> list[str]:
        """Descendants that still live after `stop`, given some time to end; they are then killed.

        Returns:
            Their command lines: empty when all is well.
        """
        deadline = time.monotonic() + patience_seconds
        while (found := self._descendants()) and time.monotonic() < deadline:
            time.sleep(0.2)
        names = []
        for process in found:
            try:
                names.append(" ".join(process.cmdline()))
                process.kill()
            except psutil.NoSuchProcess:
                continue
        return names

    def _descendants(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and process.environ().get(_MARK) == self._mark:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def __enter__(self) -> Processes:
        os.environ[_MARK] = self._mark
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        os.environ.pop(_MARK, None)
        if error is not None:  # nobody will ask what is left
            self.left_behind()
