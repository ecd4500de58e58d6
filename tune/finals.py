"""The best trials once more: trained with fresh seeds, timed alone and side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from evertune.clock import Clock
from evertune.errors import SearchError
from evertune.settings import TuneSettings
from evertune.task import Splits, Task
from tune.events import Event, FinalEnded, FinalsStarted, Progress, WorkerLost
from tune.journal import Journal
from tune.plan import Plan
from tune.record import TrialRecord
from tune.records import ranked
from tune.retiming import measure_alone
from tune.study import Study, finals_in, load_study
from tune.tuner import StudyTuner
from tune.weights import LOSSES, WEIGHTS

_MOST_LOSSES = 3  # as of a trial
_SHARE = 3  # finals take at most one training for so many trials of the search


def trainings_of(settings: TuneSettings) -> int:
    """How many trainings the finals take; 0 where there are none.

    None are held where they would be more than a third of `max_trials`: among few trials there is little luck, and to
    train them again would cost as much as the search.

    Example:
        >>> trainings_of(TuneSettings(max_trials=20)), trainings_of(TuneSettings(max_trials=6))
        (6, 0)
    """
    count = settings.finalists * settings.finalist_seeds if settings.finalists > 1 else 0
    return count if count * _SHARE <= settings.max_trials else 0


def finalists_of(study: Study, count: int) -> list[TrialRecord]:
    """The trial that would ship now, then the most accurate of the others; where there are none, no finalist."""
    first = study.best().trial
    others = [record for record in ranked(study.trials) if record.trial_id != first.trial_id]
    found = [first, *others][:count]
    return found if len(found) > 1 else []


def hold_finals(
    pool: Any,
    journal: Journal,
    search: StudyTuner,
    task: Task,
    splits: Splits,
    plan: Plan,
    settings: TuneSettings,
    progress: Progress | None,
    clock: Clock,
    deadline: float = math.inf,
) -> bool:
    """Trains and times the finalists, as far as the journal does not hold it yet.

    Args:
        pool: With workers of the search.
        journal: Of the study.
        search: The search that has ended.
        task: What was searched for.
        splits: Its data.
        plan: Of the search.
        settings: Finalists, seeds, timeout.
        progress: Told what happens.
        clock: Of events.
        deadline: Of the clock, as of the search. Finals that are not over count for nothing, until they are.

    Returns:
        Whether they are over.
    """
    study = load_study(plan.folder)
    finalists = finalists_of(study, settings.finalists) if trainings_of(settings) and ranked(study.trials) else []
    if not finalists:
        return True
    tell = progress or (lambda event: None)
    oracle = FinalsOracle(
        finalists, settings.finalist_seeds, search.oracle.get_space(), journal, finals_in(journal.entries)
    )
    tell(FinalsStarted(clock(), tuple(record.trial_id for record in finalists), settings.finalist_seeds))
    tuner = FinalsTuner(
        oracle,
        task,
        splits,
        plan,
        trial_timeout_seconds=settings.trial_timeout_seconds,
        progress=lambda event: _tell(event, tell),
        clock=clock,
        deadline=deadline,
        discover=False,
    )
    if not tuner.search(pool):  # else all have ended: nothing trains while models are timed
        return False
    if set(study.latencies) != {record.trial_id for record in finalists}:
        journal.append("timed", latency_seconds=measure_alone(plan, task, splits, oracle.trials))
    _tidy(plan, oracle.records.values())
    return True


class FinalsOracle(keras_tuner.Oracle):  # type: ignore[misc]  # KerasTuner has no types
    """Hands out the finalists, each with every fresh seed; stops none of them. The journal has what has ended.

    Args:
        finalists: Completed trials.
        seeds: Trainings of each.
        space: Hyperparameters known by now.
        journal: Of the study.
        ended: Finals that it holds.
    """

    def __init__(
        self,
        finalists: Sequence[TrialRecord],
        seeds: int,
        space: Any,
        journal: Journal,
        ended: Sequence[TrialRecord] = (),
    ) -> None:
        super().__init__(keras_tuner.Objective("accuracy", "max"))
        self.trials = {
            f"{record.trial_id}.{seed}": _trial(record, seed, space)
            for seed in range(1, seeds + 1)
            for record in finalists
        }
        self.records = {record.trial_id: record for record in ended}
        self._origins = {record.trial_id: record.origin for record in finalists}
        self._journal = journal
        self._waiting = [trial_id for trial_id in self.trials if trial_id not in self.records]
        self._losses: dict[str, int] = {}

    def create_trial(self, tuner_id: str) -> Trial:
        """The next training; status STOPPED when there is none."""
        if not self._waiting:
            return Trial(self.get_space(), "none", TrialStatus.STOPPED)
        trial = self.ongoing_trials[tuner_id] = self.trials[self._waiting.pop(0)]
        return trial

    def update_trial(self, trial_id: str, metrics: Mapping[str, Any], step: int = 0) -> Trial:
        """Go on: a finalist is trained to its end."""
        return self.trials[trial_id]

    def end_trial(self, trial: Trial, record: TrialRecord | None = None) -> None:
        """Journals the outcome."""
        assert record is not None  # `StudyTuner` has one of every trial
        self._let_go(trial.trial_id)
        self.records[trial.trial_id] = replace(record, origin="final")
        self._journal.append("final", record=self.records[trial.trial_id].to_json())

    def lose_trial(self, trial_id: str, *, counted: bool = True) -> TrialRecord | None:
        """The worker died: the training waits for another, or fails where that happens again and again."""
        self._let_go(trial_id)
        self._losses[trial_id] = self._losses.get(trial_id, 0) + counted
        if self._losses[trial_id] < _MOST_LOSSES:
            self._waiting.insert(0, trial_id)
            return None
        values = dict(self.trials[trial_id].hyperparameters.values)
        message = f"the worker process died {_MOST_LOSSES} times while it ran this trial (out of memory?)"
        self.end_trial(self.trials[trial_id], TrialRecord(trial_id, values, "failed", error=message))
        return self.records[trial_id]

    def attempts(self, trial_id: str) -> int:
        """1, and one more for each worker that died with it."""
        return self._losses.get(trial_id, 0) + 1

    def origin(self, trial_id: str) -> str:
        """Of the trial that is trained again: a warm start begins from the same weights."""
        return self._origins[trial_id.partition(".")[0]]

    def epochs(self, trial_id: str) -> None:
        """All that the plan allows."""

    def paused(self) -> list[TrialRecord]:
        """None ever is."""
        return []

    def update_space(self, hyperparameters: Any) -> None:
        """The space is known."""

    def _let_go(self, trial_id: str) -> None:
        for tuner_id in [each for each, trial in self.ongoing_trials.items() if trial.trial_id == trial_id]:
            del self.ongoing_trials[tuner_id]


class FinalsTuner(StudyTuner):
    """The search's loop; files of finalists stay until the winner is known."""

    def _tidy(self) -> None:
        """See `hold_finals`."""


def _trial(record: TrialRecord, seed: int, space: Any) -> Trial:
    hyperparameters = space.copy()
    hyperparameters.values = dict(record.hyperparameters)
    return Trial(hyperparameters, f"{record.trial_id}.{seed}", TrialStatus.RUNNING)


def _tell(event: Event, tell: Progress) -> None:
    """Other events of trials would be taken for the search's own."""
    record = getattr(event, "record", None)
    if isinstance(event, WorkerLost):
        tell(event)
    elif record is not None:
        tell(FinalEnded(event.at_seconds, record.trial_id, record))


def _tidy(plan: Plan, finals: Iterable[TrialRecord]) -> None:
    """Of the winner's trainings weights stay; of all what compares them, so that the choice stays what it is."""
    winner = ""
    with suppress(SearchError):  # alone, all are over the latency limit
        winner = load_study(plan.folder).best().trial.trial_id
    for record in finals:
        kept = {LOSSES, WEIGHTS} if record.trial_id.partition(".")[0] == winner else {LOSSES}
        for path in plan.trial_folder(record.trial_id).glob("*"):
            if path.name not in kept:
                path.unlink()
