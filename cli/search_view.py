"""A search as it runs: what is in training, what would ship so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.tables import hyperparameters, ratio, trials_table
from tune.events import (
    Event,
    FinalEnded,
    FinalsStarted,
    SearchStarted,
    TrialEpoch,
    TrialPaused,
    TrialStarted,
    WorkerLost,
)
from tune.record import TrialRecord

_SHOWN = 8  # trials in the live table


@dataclass
class _Running:
    text: str
    epoch: int = 0
    accuracy: float | None = None


class SearchView:
    """A live table. Give it to a search as its progress callback, inside a `with` block.

    Args:
        console: Where it is drawn; without a terminal nothing is.
    """

    def __init__(self, console: Console) -> None:
        self._running: dict[str, _Running] = {}
        self._ended: list[TrialRecord] = []
        self._resumed, self._max_trials, self._lost = 0, 0, 0
        self._finals, self._all_finals = 0, 0
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=True)

    def __call__(self, event: Event) -> None:
        """Takes note of an event."""
        if isinstance(event, SearchStarted):
            self._resumed, self._max_trials = event.resumed_trials, event.max_trials
        elif isinstance(event, TrialStarted):
            self._running[event.trial_id] = _Running(hyperparameters(event.hyperparameters))
        elif isinstance(event, TrialEpoch):
            running = self._running[event.trial_id]
            running.epoch, running.accuracy = event.epoch, event.accuracy
        elif isinstance(event, FinalsStarted):
            self._finals, self._all_finals = 0, len(event.trial_ids) * event.seeds
        elif isinstance(event, FinalEnded):
            self._finals += 1
        elif isinstance(event, WorkerLost):
            self._lost += 1
            self._running.pop(event.trial_id or "", None)
        elif isinstance(event, TrialPaused):
            self._running.pop(event.trial_id, None)
        else:
            self._running.pop(event.trial_id, None)
            self._ended.append(event.record)

    def __enter__(self) -> SearchView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _draw(self) -> Group:
        best = sorted(self._ended, key=lambda record: record.score or -1.0, reverse=True)[:_SHOWN]
        ended = self._resumed + len(self._ended)
        bar = ProgressBar(total=max(self._max_trials, 1), completed=ended, width=40)
        states = Counter(record.state for record in self._ended)
        parts = [f"{ended} of {self._max_trials} trials", *(f"{count} {state}" for state, count in states.items())]
        if self._all_finals:
            parts.append(f"{self._finals} of {self._all_finals} trainings of the finalists")
        if self._lost:
            parts.append(f"{self._lost} workers lost and replaced")
        return Group(Text(", ".join(parts)), bar, self._in_training(), trials_table(best, title="best so far"))

    def _in_training(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for trial_id, running in self._running.items():
            table.add_row(f"trial {trial_id}", f"epoch {running.epoch}", ratio(running.accuracy), running.text)
        return table
