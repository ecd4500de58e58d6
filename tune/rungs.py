"""Which trials go on after an epoch, which wait, and which of those are taken up again."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tune.extrapolation import extrapolate
from tune.fronts import by_fronts

Costs = tuple[float, ...]
"""Smaller is better in each; the first decides between trials of the same front."""


@dataclass
class Rungs:
    """Asynchronous successive halving whose first rung is one epoch; a trial that is not good enough is paused.

    A trial that reaches a rung goes on if it is in the best quarter of all that have reached it so far. Else it waits:
    when more trials have come, it may be in the best quarter of those. What counts is where a trial seems to end
    (`extrapolate`). Rungs lie at 1, 3, 9, ... epochs, up to two thirds of all: later, little is left to save.

    After one epoch the order of trials is already most of the truth: "one epoch, then train the best" matched Hyperband
    at a tenth of the compute in Egele et al. 2023, "Is One Epoch All You Need For Multi-Fidelity Hyperparameter
    Optimization?"; the asynchronous rule, with promotion, is algorithm 2 of Li et al. 2020, "A System for Massively
    Parallel Hyperparameter Tuning". Fewer go on than the rungs' spacing would pay for, so that more settings are seen:
    what to try next is learned from all rungs (`RankForest`). With several objectives, trials are ordered by Pareto
    fronts, as in Schmucker et al. 2021, "Multi-objective Asynchronous Successive Halving".

    Args:
        max_epochs: Of a trial.
        factor: One of so many goes on.
        spacing: From the epochs of a rung to those of the next.
        maximize: The metric is better when larger.
        finalists: When no trial is left to start, at least so many go on from each rung, so that as many complete.

    Example:
        >>> rungs = Rungs(max_epochs=8)
        >>> [rungs.go_on(str(trial), epoch=1, metric=metric) for trial, metric in enumerate([0.5, 0.6, 0.4, 0.7])]
        [False, False, False, True]
        >>> rungs.next_up({"0", "1", "2"}) is None
        True
        >>> rungs.next_up({"0", "1", "2"}, finishing=True)
        '1'
    """

    max_epochs: int
    factor: int = 4
    spacing: int = 3
    maximize: bool = True
    finalists: int = 3
    _reached: dict[int, dict[str, Costs]] = field(init=False, default_factory=lambda: defaultdict(dict))
    _curves: dict[str, dict[int, float]] = field(init=False, default_factory=lambda: defaultdict(dict))
    _promoted: dict[str, int] = field(init=False, default_factory=dict)

    def go_on(self, trial_id: str, *, epoch: int, metric: float, costs: Sequence[float] = ()) -> bool:
        """Records what a trial reached and says whether it goes on. Asking again gives no second entry.

        Args:
            trial_id: The trial.
            epoch: Done, counted from one.
            metric: Of the trial now. One that is not a finite number ends its trial for good.
            costs: Of other objectives, known and fixed: latency, size.
        """
        if not all(math.isfinite(each) for each in (metric, *costs)):
            self.drop(trial_id)
            return False
        self._curves[trial_id][epoch] = -metric if self.maximize else metric
        if not self.is_rung(epoch) and epoch != self.max_epochs:
            return True
        expected = extrapolate(self._curves[trial_id], epoch, self.max_epochs)
        self._reached[epoch].setdefault(trial_id, (expected, *costs))
        if epoch == self.max_epochs:
            return True
        if epoch <= self._promoted.get(trial_id, 0):
            return True
        if trial_id not in self._best(epoch, len(self._reached[epoch]) // self.factor):
            return False
        self._promoted[trial_id] = epoch
        return True

    def next_up(self, paused: Collection[str], *, finishing: bool = False) -> str | None:
        """The paused trial that goes on now, that of the highest rung first; None where none has earned it.

        Args:
            paused: Trials to choose from.
            finishing: No trial is left to start.
        """
        for epoch in sorted(self._reached, reverse=True):
            count = len(self._reached[epoch])
            quota = max(math.ceil(count / self.factor), self.finalists) if finishing else count // self.factor
            for trial_id in self._best(epoch, quota):
                if trial_id in paused and self._promoted.get(trial_id, 0) < epoch:
                    return trial_id
        return None

    def promote(self, trial_id: str) -> None:
        """The trial goes on from the highest rung that it has reached."""
        self._promoted[trial_id] = max(epoch for epoch, reached in self._reached.items() if trial_id in reached)

    def knows(self, trial_id: str) -> bool:
        """Whether the trial has reached a rung, and so may be taken up again."""
        return any(trial_id in reached for reached in self._reached.values())

    def drop(self, trial_id: str) -> None:
        """The trial failed: it takes no place at any rung, and is never taken up again."""
        for reached in self._reached.values():
            reached.pop(trial_id, None)

    def order(self) -> list[str]:
        """All trials that reached a rung, the best first: whoever went on stays above whoever did not."""
        found: list[str] = []
        for epoch in sorted(self._reached):
            here = self._best(epoch, len(self._reached[epoch]))
            among = set(here)
            places = [index for index, trial_id in enumerate(found) if trial_id in among]
            for index, trial_id in zip(places, here, strict=False):
                found[index] = trial_id
            found = found or here
        return found

    def is_rung(self, epoch: int) -> bool:
        """Whether trials are compared after so many epochs."""
        rung = 1
        while rung < epoch:
            rung *= self.spacing
        return rung == epoch and 3 * epoch <= 2 * self.max_epochs

    def _best(self, epoch: int, count: int) -> list[str]:
        reached = self._reached[epoch]
        names = list(reached)
        return [names[index] for index in by_fronts(list(reached.values()))[:count]]
