"""What a search writes for other tools to look at, from its journal: never fatal, never ahead of the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from evertune.clock import Clock, system_clock
from evertune.settings import TuneSettings
from tune.events import Event, Notice, Progress
from tune.journal import Follower
from tune.standing import Standing, TrialStanding
from tune.study import JOURNAL


class Tracker(Protocol):
    """Writes trials for a tool."""

    def sync(self, trial: TrialStanding) -> None:
        """Brings what was written of a trial up to date; called again with nothing new it writes nothing."""

    def finish(self, standing: Standing) -> None:
        """The search ends, or is interrupted."""

    def notices(self) -> list[str]:
        """What is to be said, once."""


class Tracking:
    """Feeds trackers from the journal whenever the search tells something.

    The first time it feeds them all trials, so that a resumed search writes what the one before could not.

    Args:
        folder: Of the study.
        trackers: Each is dropped once it raises.
        progress: Told everything first, and what trackers have to say.
        clock: Of notices.
    """

    def __init__(self, folder: Path, trackers: list[Tracker], progress: Progress | None, clock: Clock) -> None:
        self._follower = Follower(folder / JOURNAL)
        self._standing = Standing()
        self._trackers = trackers
        self._tell = progress or (lambda event: None)
        self._clock = clock

    def __call__(self, event: Event) -> None:
        """Takes note of what was journaled until this event."""
        self._tell(event)
        self._feed()

    def finish(self) -> None:
        """Writes what is left."""
        self._feed()
        for tracker in list(self._trackers):
            self._guarded(tracker, lambda tracker: tracker.finish(self._standing))
            self._say(*tracker.notices())

    def _feed(self) -> None:
        entries = self._follower.new() if self._trackers else []
        touched = {trial.trial_id: trial for each in entries if (trial := self._standing.take(each)) is not None}
        for tracker in list(self._trackers):
            self._guarded(tracker, lambda tracker: _sync(tracker, touched.values()))
        for tracker in self._trackers:
            self._say(*tracker.notices())

    def _guarded(self, tracker: Tracker, do: Callable[[Tracker], None]) -> None:
        try:
            do(tracker)
        except Exception as error:  # a full disk, say: the search matters more
            self._trackers.remove(tracker)
            self._say(f"{type(tracker).__name__} stopped: {type(error).__name__}: {error}")

    def _say(self, *texts: str) -> None:
        for text in texts:
            self._tell(Notice(self._clock(), text))


def _sync(tracker: Tracker, trials: Iterable[TrialStanding]) -> None:
    for trial in trials:
        tracker.sync(trial)


@contextmanager
def tracked(
    folder: Path, settings: TuneSettings, progress: Progress | None, clock: Clock = system_clock
) -> Iterator[Progress]:
    """Gives the callback that tells `progress` and writes what the settings ask for.

    Args:
        folder: Of the study; its journal is there.
        settings: Which tools.
        progress: Told what happens.
        clock: Of notices.
    """
    trackers: list[Tracker] = []
    if settings.tensorboard:
        from tune.tensorboard_logs import TensorBoardLogs

        trackers.append(TensorBoardLogs(folder))
    if settings.mlflow_tracking_uri:
        from tune.mlflow_runs import MlflowRuns

        trackers.append(MlflowRuns(folder, settings.mlflow_tracking_uri))
    tracking = Tracking(folder, trackers, progress, clock)
    try:
        yield tracking
    finally:
        tracking.finish()
