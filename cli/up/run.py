"""`evertune up`, behind its options."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

import httpx
from rich.console import Console
from rich.text import Text

from cli.up.ports import check_ports
from cli.up.program import Program
from cli.up.programs import own_programs, task_file
from cli.up.supervisor import Supervisor
from cli.up.watching import Watching, watching
from evertune.settings import Project

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue")
_SELF = "up"


class Voice:
    """Writes whole lines, each behind the coloured name of whose it is. A terminal that has gone means stop.

    Args:
        names: Of the processes.
        stop: Set where nobody listens any more.
    """

    def __init__(self, names: Sequence[str], stop: threading.Event) -> None:
        self._console = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False)
        self._width = max(map(len, [*names, _SELF]))
        self._styles = {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(names)}
        self._lock = threading.Lock()
        self._stop = stop

    def say(self, name: str, line: str) -> None:
        """Prints one line."""
        style = self._styles.get(name, "bold")
        try:
            with self._lock:
                self._console.print(Text.assemble((f"{name:<{self._width}} | ", style), Text.from_ansi(line)))
        except (OSError, SystemExit):  # rich makes an exit of a broken pipe, and here that would end a reader of logs
            self._stop.set()


def run(project: Project, *, with_prometheus: bool = True) -> None:
    """Runs all processes of the project until SIGTERM or SIGINT.

    Raises:
        SettingsError: A port cannot be listened on.
        ProcessFailedError: A process crashes again and again.
    """
    around = watching(project) if with_prometheus else Watching((), (), {})
    programs = [*own_programs(project, around.environment), *around.programs]
    check_ports(programs)
    stop, kill = threading.Event(), threading.Event()
    voice = Voice([program.name for program in programs], stop)
    for line in around.missing:
        voice.say(_SELF, line)
    if not task_file(project).is_file():
        voice.say(_SELF, f"retune is left out: there is no task file {task_file(project)} (project.task)")
    with _signals(stop, kill):
        supervisor = Supervisor(programs, project.root, voice.say, stop=stop, kill=kill)
        supervisor.run(lambda: _tell(voice, programs))
    voice.say(_SELF, "all processes have ended")


def _tell(voice: Voice, programs: Sequence[Program]) -> None:
    for program in programs:
        voice.say(_SELF, f"{program.name:<12} {program.url}{program.page}")
    if not _has_champion(programs[0]):
        voice.say(_SELF, "no champion to serve yet: run `evertune tune`, then `evertune export --promote`")
    voice.say(_SELF, "all is ready; Ctrl-C ends all of it")


def _has_champion(serve: Program) -> bool:
    try:
        return httpx.get(f"{serve.url}/v2/health/ready", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@contextlib.contextmanager
def _signals(stop: threading.Event, kill: threading.Event) -> Iterator[None]:
    """The first SIGTERM or SIGINT ends gracefully, the second at once."""

    def hear(*_: object) -> None:
        if stop.is_set():
            kill.set()
        stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.signal(number, hear) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
