"""A search as it runs: a live table on a terminal, lines elsewhere, JSON for programs."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from cli.search_text import draw_search, time_left
from cli.tables import hyperparameters, kilobytes, milliseconds, ratio
from cli.times import duration
from evertune.clock import Clock, system_clock
from tune.events import Event, FinalEnded, FinalsStarted, Notice, SearchStarted, TrialEpoch, TrialStarted, WorkerLost
from tune.journal import Follower
from tune.standing import Standing
from tune.study import JOURNAL

_EPOCH_LINE_SECONDS = 10.0  # between two lines about the epochs of a trial


class SearchView:
    """Give it to a search as its progress callback, inside a `with` block.

    What it shows comes from the journal, so that a resumed search shows the trials before, too.

    Args:
        console: Where it is drawn: live on a terminal, else line by line.
        folder: Of the study.
        as_json: One JSON object a line instead, on any console.
        clock: Of elapsed times.
    """

    def __init__(self, console: Console, folder: Path, *, as_json: bool = False, clock: Clock = system_clock) -> None:
        self._console, self._as_json, self._clock = console, as_json, clock
        self._follower = Follower(folder / JOURNAL)
        self._standing = Standing()
        self._lock = threading.Lock()
        self._said_at: dict[str, float] = {}
        self._live = (
            Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=True)
            if console.is_terminal and not as_json
            else None
        )

    def __call__(self, event: Event) -> None:
        """Takes note of an event."""
        with self._lock:
            for entry in self._follower.new():
                self._standing.take(entry)
        if self._as_json:
            self._console.file.write(json.dumps(self._object(event)) + "\n")
            self._console.file.flush()
        elif isinstance(event, Notice):
            self._console.print(Text(event.text, "yellow"))  # above the live table
        elif self._live is None:
            self._say(event)

    def __enter__(self) -> SearchView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _draw(self) -> RenderableType:
        with self._lock:  # the table is redrawn by a thread
            return draw_search(self._standing.to_json(self._clock()), encoding=self._console.encoding)

    def _say(self, event: Event) -> None:
        if isinstance(event, TrialEpoch):
            if event.at_seconds - self._said_at.get(event.trial_id, 0.0) < _EPOCH_LINE_SECONDS:
                return
            self._said_at[event.trial_id] = event.at_seconds
        self._console.print(
            line(event, self._standing.to_json(self._clock())), soft_wrap=True, markup=False, highlight=False
        )

    def _object(self, event: Event) -> dict[str, Any]:
        content = dict(vars(event))
        record = content.pop("record", None)
        left = self._standing.seconds_left(self._clock())
        return {
            "event": type(event).__name__,
            **content,
            **({} if record is None else {"record": record.to_json()}),
            "seconds_left": None if left is None else round(left, 1),
        }


def line(event: Event, found: Mapping[str, Any]) -> str:
    """An event as one line of a log.

    Args:
        event: Of a search.
        found: `Standing.to_json` after it.
    """
    if isinstance(event, SearchStarted):
        before = f", {event.resumed_trials} of them ended before" if event.resumed_trials else ""
        return f"search: {event.max_trials} trials{before}; {event.workers} workers, {event.max_epochs} epochs a trial"
    if isinstance(event, TrialStarted):
        again = f", attempt {event.attempt}" if event.attempt > 1 else ""
        return f"trial {event.trial_id} starts ({event.origin}{again}): {hyperparameters(event.hyperparameters)}"
    if isinstance(event, TrialEpoch):
        return f"trial {event.trial_id} epoch {event.epoch}/{found['max_epochs']}: accuracy {ratio(event.accuracy)}"
    if isinstance(event, WorkerLost):
        work = "" if event.trial_id is None else f" with trial {event.trial_id}, which another takes"
        return f"a worker is lost{work}"
    if isinstance(event, Notice):
        return event.text
    if isinstance(event, FinalsStarted):
        return f"finals: trials {', '.join(event.trial_ids)} are trained again, {event.seeds} times each"
    return f"{_ended(event)}; {time_left(found)}"


def _ended(event: Any) -> str:
    """Whatever has a record: a trial that ended, or paused."""
    record = event.record
    state = record.state if isinstance(event, FinalEnded) else type(event).__name__.removeprefix("Trial").lower()
    epochs = f"{record.epochs} {'epoch' if record.epochs == 1 else 'epochs'} in {duration(record.seconds)}"
    parts = [f"trial {event.trial_id} {'completed' if state == 'finished' else state} after {epochs}"]
    if record.score is not None:
        costs = (milliseconds(record.latency_seconds), kilobytes(record.size_bytes), record.recipe or "")
        parts.append(f"artifact {ratio(record.score)}, {', '.join(costs)}")
    elif record.rung_metric is not None:
        parts.append(f"accuracy {ratio(record.rung_metric)}")
    if record.error:
        parts.append(record.error.strip().splitlines()[-1])
    return ": ".join(parts[:2]) + "".join(f": {each}" for each in parts[2:])
