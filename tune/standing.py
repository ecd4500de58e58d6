"""How far a search has come, from the entries of its journal alone: in its own process or in any other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tune.pace import Pace
from tune.record import TrialRecord
from tune.study import ranked

_BEST = 5  # trials that are told


@dataclass
class TrialStanding:
    """One trial, ended or not.

    Attributes:
        trial_id: Its number.
        hyperparameters: What it tries.
        origin: Of them.
        started_at: Seconds since the epoch.
        state: "running", "paused", or how it ended. "running" includes those that wait for a worker, since their own
            died.
        attempt: Above 1 where workers died with it.
        epochs: When it reported each epoch, and its validation accuracy; None where that was no number.
        record: Of an ended or paused trial.
        ended_at: Seconds since the epoch.
        seconds: It spent in a worker, as far as the journal tells.
        seconds_at: How many of them it had spent after each epoch.
    """

    trial_id: str
    hyperparameters: Mapping[str, Any]
    origin: str
    started_at: float
    state: str = "running"
    attempt: int = 1
    epochs: dict[int, tuple[float, float | None]] = field(default_factory=dict)
    record: TrialRecord | None = None
    ended_at: float | None = None
    seconds: float = 0.0
    seconds_at: dict[int, float] = field(default_factory=dict)
    since: float | None = None  # until when `seconds` counts, while it runs

    @property
    def epoch(self) -> int:
        """The last one that it reported; 0 before the first."""
        return max(self.epochs, default=0)

    @property
    def accuracies(self) -> list[float]:
        """By epoch, of the training framework; those that are no number are left out."""
        return [metric for _, (_, metric) in sorted(self.epochs.items()) if metric is not None]

    def work_until(self, at: float) -> None:
        """Counts the time since the entry before."""
        if self.since is not None and self.state == "running":
            self.seconds += max(0.0, at - self.since)
        self.since = at

    def to_json(self, now: float, max_epochs: int) -> dict[str, Any]:
        """A trial that has not ended, for programs.

        Before its first epoch it is "preparing": built, exported untrained and measured; after the last "exporting".
        """
        running = self.state == "running"
        seconds = self.seconds + (max(0.0, now - self.since) if running and self.since is not None else 0.0)
        accuracies = self.accuracies
        return {
            "trial_id": self.trial_id,
            "state": self._phase(max_epochs),
            "epoch": self.epoch,
            "accuracy": accuracies[-1] if accuracies else None,
            "accuracies": accuracies,
            "attempt": self.attempt,
            "origin": self.origin,
            "seconds": round(seconds, 1),
            "hyperparameters": dict(self.hyperparameters),
        }

    def _phase(self, max_epochs: int) -> str:
        if self.state != "running":
            return self.state
        return "preparing" if not self.epoch else "exporting" if self.epoch == max_epochs else "training"


class Standing:
    """Give it the entries of a journal, all at once or as they come.

    Attributes:
        trials: By id, in the order of their starts.
        max_trials: Of the last session; 0 where the journal does not say.
        max_epochs: Of a trial; likewise.
        max_seconds: Of the search; 0: no limit.
        max_total_epochs: Of all trials; 0: no limit.
        workers: Of the last session.
        finished: The search came to its end, and was not called again with larger limits.
        lost: How often a trial lost its worker.
        finals: Trainings of finalists that have ended.
    """

    def __init__(self, entries: Iterable[Mapping[str, Any]] = ()) -> None:
        self.trials: dict[str, TrialStanding] = {}
        self.max_trials, self.max_epochs, self.workers, self.lost, self.finals = 0, 0, 1, 0, 0
        self.max_seconds, self.max_total_epochs = 0.0, 0
        self.finished = False
        self._spent_before, self._last_at = 0.0, 0.0
        self._session_at: float | None = None
        for entry in entries:
            self.take(entry)

    def take(self, entry: Mapping[str, Any]) -> TrialStanding | None:
        """Takes note of an entry; returns the trial that it is about, if any. Entries that it does not know pass."""
        at = float(entry.get("at", self._last_at))
        event, trial_id = entry["event"], entry.get("trial_id") or entry.get("record", {}).get("trial_id")
        if event == "study":
            self.max_epochs = entry.get("plan", {}).get("max_epochs", 0)
        elif event == "session":
            self._begin(entry, at)
        elif event == "final":
            self.finals += 1
        elif event == "finished":
            self.finished = True
            self.max_trials = max(self.max_trials, entry["max_trials"])
        self._last_at = max(self._last_at, at)
        return None if trial_id is None else self._trial(event, trial_id, entry, at)

    @property
    def ended(self) -> list[TrialRecord]:
        """Records of ended trials, in the order of starts."""
        return [each.record for each in self.trials.values() if each.record is not None and each.ended_at is not None]

    @property
    def running(self) -> list[TrialStanding]:
        """Trials that are in work, or were when the search was interrupted."""
        return [each for each in self.trials.values() if each.state == "running"]

    @property
    def counts(self) -> Counter[str]:
        """How many trials are in each state."""
        return Counter(each.state for each in self.trials.values())

    def best(self, count: int) -> list[TrialRecord]:
        """Completed trials, the best first."""
        return ranked(self.ended)[:count]

    def trials_left(self) -> int:
        """How many trials may still start; so many rejected ones are free, as the oracle has it."""
        free = min(self.counts["rejected"], 2 * self.max_trials)
        return max(0, self.max_trials - len(self.trials) + free)

    def spent_seconds(self, now: float | None = None) -> float:
        """For how long the search has run, pauses between its sessions left out.

        Args:
            now: While it runs; None counts to the last entry.
        """
        until = self._last_at if now is None else max(now, self._last_at)
        return self._spent_before + (0.0 if self._session_at is None else until - self._session_at)

    def seconds_left(self, now: float) -> float | None:
        """An estimate from the trials that have ended so far; None while they are too few, or no limit is known."""
        if not self.max_trials:
            return None
        known = Pace(list(self.trials.values())).seconds_left(
            self.trials_left(), self.workers, now, self._epochs_left()
        )
        if not self.max_seconds:
            return known
        rest = max(0.0, self.max_seconds - self.spent_seconds(now))
        return rest if known is None else min(known, rest)

    def to_json(self, now: float | None) -> dict[str, Any]:
        """For programs, and for whatever draws it.

        Args:
            now: Seconds since the epoch while it runs; None if it does not: then it stands where its last entry was.
        """
        now = self._last_at if now is None else now
        left = self.seconds_left(now)
        return {
            "max_trials": self.max_trials,
            "max_epochs": self.max_epochs,
            "workers": self.workers,
            "finished": self.finished,
            "states": dict(self.counts),
            "counted_trials": sum(record.state != "rejected" for record in self.ended),
            "workers_lost": self.lost,
            "finals": self.finals,
            "seconds": round(self.spent_seconds(now), 1),
            "seconds_left": None if left is None else round(left, 1),
            "in_work": [each.to_json(now, self.max_epochs) for each in self.running],
            "best": [{**record.to_json(), "candidates": []} for record in self.best(_BEST)],
        }

    # --- inside ---------------------------------------------------------------------------------------------------

    def _begin(self, entry: Mapping[str, Any], at: float) -> None:
        self._spent_before = self.spent_seconds()
        self._session_at, self.finished = at, False
        self.max_trials, self.workers = entry["max_trials"], entry["workers"]
        self.max_seconds, self.max_total_epochs = entry.get("max_seconds", 0.0), entry.get("max_total_epochs", 0)
        for trial in self.running:  # they go on first: interrupted ones are never more than there are workers
            trial.since = at

    def _trial(self, event: str, trial_id: str, entry: Mapping[str, Any], at: float) -> TrialStanding | None:
        if event == "started":
            self.trials[trial_id] = TrialStanding(trial_id, entry["hyperparameters"], entry["origin"], at, since=at)
        elif event == "ended" and trial_id not in self.trials:
            record = TrialRecord.from_json(entry["record"])
            self.trials[trial_id] = TrialStanding(trial_id, record.hyperparameters, record.origin, at)
        trial = self.trials.get(trial_id)
        if trial is None:  # no trial of the search
            return None
        trial.work_until(at)
        if event == "epoch":
            _report(trial, entry["epoch"], entry["metric"], at)
        elif event == "lost":
            trial.attempt, self.lost = trial.attempt + 1, self.lost + 1
        elif event == "resumed":
            trial.state = "running"
        elif event in ("paused", "ended"):
            _stop(trial, event, TrialRecord.from_json(entry["record"]), at)
        return trial

    def _epochs_left(self) -> int | None:
        trained = sum(each.epoch for each in self.trials.values())
        return max(0, self.max_total_epochs - trained) if self.max_total_epochs else None


def _report(trial: TrialStanding, epoch: int, metric: float | None, at: float) -> None:
    before = trial.epochs.get(epoch)
    if before is None or before[1] != metric:  # an epoch that was trained twice stays where it was
        trial.epochs[epoch] = (at, metric)
    trial.seconds_at[epoch] = trial.seconds


def _stop(trial: TrialStanding, event: str, record: TrialRecord, at: float) -> None:
    trial.record = record
    trial.state = record.state if event == "ended" else "paused"
    if event == "ended":
        trial.ended_at = at
    trial.seconds = max(trial.seconds, record.seconds)  # a journal of an earlier version has no times of its own
