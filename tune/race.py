"""Trials of unequal length: who goes on, who waits, and what is done when the budget of epochs is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tune.record import TrialRecord
from tune.rungs import Rungs

_WORST = 1.0


class Race:
    """Rungs, the trials that wait at them, and the epochs spent so far.

    Args:
        rungs: None: no trial is ever paused.
        max_total_epochs: Of all trials together; None: no limit.
    """

    def __init__(self, rungs: Rungs | None, max_total_epochs: int | None) -> None:
        self._rungs = rungs
        self._max_total_epochs = max_total_epochs
        self._epochs: dict[str, int] = {}
        self._waiting: dict[str, TrialRecord] = {}
        self._seconds: dict[str, float] = {}  # that a trial ran before it was paused
        self._until: dict[str, int] = {}

    @property
    def spent(self) -> bool:
        """Whether no epoch is left."""
        return self._max_total_epochs is not None and sum(self._epochs.values()) >= self._max_total_epochs

    def paused(self) -> list[TrialRecord]:
        """Trials that wait, the best first."""
        order = [] if self._rungs is None else self._rungs.order()
        return [self._waiting[trial_id] for trial_id in order if trial_id in self._waiting]

    def is_paused(self, trial_id: str) -> bool:
        """Whether the trial waits."""
        return trial_id in self._waiting

    def until(self, trial_id: str) -> int | None:
        """How long the trial is trained at most, where it is taken as it is; else None."""
        return self._until.get(trial_id)

    def go_on(self, trial_id: str, epoch: int, metric: float, costs: Sequence[float], *, exempt: bool) -> bool:
        """Counts the epoch and says whether the trial goes on.

        Args:
            trial_id: The trial.
            epoch: Done, counted from one.
            metric: Reached.
            costs: Of other objectives, as far as they are known.
            exempt: Neither paused nor a measure for others.
        """
        self._epochs[trial_id] = max(epoch, self._epochs.get(trial_id, 0))  # some are reported, or done, again
        if epoch <= self._until.get(trial_id, 0) or self._rungs is None or exempt:
            return True  # trained again up to where it was, if its checkpoint was not kept
        return self._rungs.go_on(trial_id, epoch=epoch, metric=metric, costs=costs) and not self.spent

    def can_pause(self, record: TrialRecord) -> bool:
        """Whether a trial that was stopped may be taken up again: a number was its last word, at a rung or beyond."""
        return self._rungs is not None and record.state == "pruned" and self._rungs.knows(record.trial_id)

    def timed(self, record: TrialRecord) -> TrialRecord:
        """The record with the seconds of all parts of the trial."""
        return replace(record, seconds=record.seconds + self._seconds.get(record.trial_id, 0.0))

    def pause(self, record: TrialRecord) -> None:
        """The trial waits."""
        self._waiting[record.trial_id] = record
        self._seconds[record.trial_id] = record.seconds

    def next_up(self, *, finishing: bool = False) -> str | None:
        """The paused trial that has earned to go on; None where there is none."""
        return None if self._rungs is None else self._rungs.next_up(self._waiting, finishing=finishing)

    def finalist(self, completed: int) -> TrialRecord | None:
        """When the budget is spent: the best paused trial, to be scored as it is, while too few have completed.

        Args:
            completed: Trials that have, or are about to.
        """
        waiting = self.paused()
        return waiting[0] if self._rungs is not None and waiting and completed < self._rungs.finalists else None

    def resume(self, trial_id: str, until: int | None) -> None:
        """The trial waits no more.

        Args:
            trial_id: The trial.
            until: Epochs, where it is taken as it is.
        """
        assert self._rungs is not None  # else nothing was paused
        del self._waiting[trial_id]
        self._rungs.promote(trial_id)
        if until is not None:
            self._until[trial_id] = until

    def ended(self, record: TrialRecord) -> None:
        """The trial has its outcome; one that failed takes no place at a rung."""
        self._waiting.pop(record.trial_id, None)
        if record.state == "failed" and self._rungs is not None:
            self._rungs.drop(record.trial_id)

    def ranks(self, records: Mapping[str, TrialRecord]) -> dict[str, float] | None:
        """Of all trials that say something, by id: 0 is the best, 1 the worst. None where none were compared at a rung.

        Failed and rejected trials, and those that diverged before a rung, are the worst. A trial that completed without
        a rung, such as a fit of scikit-learn, is as good as the best of those it beats, once others have completed.

        Args:
            records: Of ended trials.
        """
        order = [] if self._rungs is None or not self._rungs.is_rung(1) else self._rungs.order()
        if not order:
            return None  # where all trials are of equal length, other samplers find more
        found = {trial_id: place / max(1, len(order) - 1) for place, trial_id in enumerate(order)}
        scores = {each.trial_id: each.score for each in records.values() if each.score is not None}
        compared = {trial_id: score for trial_id, score in scores.items() if trial_id in found}
        for trial_id, score in scores.items():
            if trial_id not in compared:
                beaten = [found[other] for other, its in compared.items() if its <= score]
                found[trial_id] = min(beaten, default=max((found[other] for other in compared), default=0.0))
        for trial_id, record in records.items():
            if record.state in ("failed", "rejected") or (record.state == "pruned" and trial_id not in found):
                found[trial_id] = _WORST
        return found
