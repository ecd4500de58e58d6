"""Keeps programs running: starts them in order, restarts what crashes or hangs, stops all of them together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cli.up.child import Child
from cli.up.health import Health, HealthPolicy
from cli.up.program import Program
from cli.up.restarts import RestartPolicy, Restarts
from evertune.errors import EvertuneError

_LOOK_SECONDS = 0.1
_START_SECONDS = 120.0  # a server that loads large bundles takes its time
_END_SECONDS = 40.0  # BentoML gives open requests 30


class ProcessFailedError(EvertuneError):
    """A process of `evertune up` does not start, or crashes again and again."""

    code, http_status, exit_code = "process_failed", 500, 20


class Supervisor:
    """Runs programs until it is told to stop, or one of them cannot be kept alive.

    Args:
        programs: In the order in which they start.
        working_folder: Of the project.
        say: Gets lines of output, with the name of whose they are; called from several threads.
        stop: Set it to end.
        kill: Set it, too, to end at once.
        policy: Of restarts.
        health: When a process that was ready counts as hung.
        start_seconds: A process that is not ready by then is given up on.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        working_folder: Path,
        say: Callable[[str, str], None],
        *,
        stop: threading.Event,
        kill: threading.Event | None = None,
        policy: RestartPolicy | None = None,
        health: HealthPolicy | None = None,
        start_seconds: float = _START_SECONDS,
    ) -> None:
        self._slots = [_Slot(program, Restarts(policy or RestartPolicy())) for program in programs]
        self._working_folder = working_folder
        self._say = say
        self._stop = stop
        self._kill = kill or threading.Event()
        self._health = health or HealthPolicy()
        self._start_seconds = start_seconds

    def run(self, when_ready: Callable[[], None]) -> None:
        """Returns when it was stopped and every process has ended.

        Args:
            when_ready: Called once, when all are ready for the first time.

        Raises:
            ProcessFailedError: A process cannot be kept alive; all have been stopped.
        """
        told = False
        try:
            while not self._stop.is_set():
                if self._step() and not told:
                    told = True
                    when_ready()
                self._stop.wait(_LOOK_SECONDS)
        finally:
            self._end()

    def _step(self) -> bool:
        """Looks at each process; whoever is not ready yet keeps those behind it from their first start."""
        for slot in self._slots:
            self._look(slot)
            if not slot.was_ready:
                return False
        return all(slot.is_ready for slot in self._slots)

    def _look(self, slot: _Slot) -> None:
        now = time.monotonic()
        if slot.child is None:
            if now >= slot.start_at:
                slot.start(Child(slot.program, self._working_folder, self._say), now)
        elif (code := slot.child.ended()) is not None:
            self._restart(slot, code, now)
        elif not slot.is_ready and slot.child.is_ready():
            slot.is_ready = slot.was_ready = True
            slot.health = Health(self._health, time.monotonic())
            self._say(slot.program.name, f"ready at {slot.program.url}")
        elif not slot.is_ready and now - slot.started_at > self._start_seconds:
            raise ProcessFailedError(
                f"{slot.program.name} is not ready after {self._start_seconds:.0f} s", fix="Read its lines above."
            )
        elif slot.is_ready and slot.health.is_due(now):
            self._probe(slot, slot.child)

    def _probe(self, slot: _Slot, child: Child) -> None:
        """Kills what is hung; the next look finds it ended, and restarts it as after a crash."""
        answered = child.is_ready(self._health.probe_seconds)
        if slot.health.is_hung(answered, time.monotonic()):
            self._say(slot.program.name, f"has not answered {self._health.most_failures} probes in a row; killed")
            child.kill()

    def _restart(self, slot: _Slot, code: int, now: float) -> None:
        lived, name = now - slot.started_at, slot.program.name
        slot.child, slot.is_ready = None, False
        delay = slot.restarts.next_delay(lived)
        if delay is None:
            raise ProcessFailedError(
                f"{name} ended with {code} again and again, the last time {lived:.1f} s after its start",
                fix=f"Read its lines above and mend that. It was: {' '.join(slot.program.command)}",
                process=name,
                exit_status=code,
            )
        slot.start_at = now + delay
        self._say(name, f"ended with {code} after {lived:.1f} s; starting it again in {delay:g} s")

    def _end(self) -> None:
        children = [slot.child for slot in reversed(self._slots) if slot.child is not None]
        for child in children:
            child.ask_to_end()
        deadline = time.monotonic() + _END_SECONDS
        while any(child.ended() is None for child in children) and time.monotonic() < deadline:
            if self._kill.wait(_LOOK_SECONDS):
                break
        for child in children:
            if child.ended() is None:
                self._say(child.program.name, "does not end; killed")
                child.kill()


class _Slot:
    """A program, and the process that runs it now, if any."""

    def __init__(self, program: Program, restarts: Restarts) -> None:
        self.program = program
        self.restarts = restarts
        self.child: Child | None = None
        self.health = Health(HealthPolicy(), 0.0)  # a new one each time that the process gets ready
        self.start_at = self.started_at = 0.0
        self.is_ready = self.was_ready = False

    def start(self, child: Child, now: float) -> None:
        self.child, self.started_at = child, now
