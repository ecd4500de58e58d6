"""What happened when: the one table at the end of the demo, and the marks in its report."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from cli.tables import plain_table
from evertune.clock import Clock


@dataclass(frozen=True)
class Event:
    """Something worth a line. `at` is seconds since the epoch."""

    at: float
    what: str
    detail: str


class Timeline:
    """Collects events and prints them as they come.

    Args:
        console: Where lines go.
        clock: Of the events.
    """

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._started_at = clock()
        self.events: list[Event] = []

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the timeline began."""
        return self._clock() - self._started_at

    def mark(self, what: str, detail: str = "", *, at: float | None = None) -> None:
        """Adds an event, now or at a time that a log knows better."""
        event = Event(self._clock() if at is None else at, what, detail)
        self.events.append(event)
        line = f"[dim]{event.at - self._started_at:6.1f} s[/]  [bold]{escape(what)}[/]  {escape(detail)}"
        self._console.print(line, highlight=False, soft_wrap=True)

    def print_table(self) -> None:
        """All events in the order of their times."""
        table = plain_table("Timeline", (), ("seconds",))
        table.add_column("event")
        table.add_column("detail", overflow="fold")
        for event in sorted(self.events, key=lambda each: each.at):
            table.add_row(f"{event.at - self._started_at:.1f}", escape(event.what), escape(event.detail))
        self._console.print(table)
