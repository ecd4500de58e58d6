"""How long the rest of a search takes, by what its trials took so far."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tune.standing import TrialStanding

FEWEST_TRIALS = 3  # that have ended or paused: of fewer, the next one may well be ten times slower


class Pace:
    """Speed of a search.

    A trial that is yet to start takes as long as those before it took on average: how many of them a rung stopped, and
    where, is in that average. A trial in training takes what those took from its epoch on that came as far.

    Args:
        trials: All that were started.
    """

    def __init__(self, trials: Sequence[TrialStanding]) -> None:
        self._running = [each for each in trials if each.state == "running"]
        self._stopped = [each for each in trials if each.state != "running"]
        self._counted = [each for each in self._stopped if each.state != "rejected"]

    def seconds_left(self, trials_left: int, workers: int, now: float, epochs_left: int | None = None) -> float | None:
        """Until the search ends; None where fewer than three trials can be judged from.

        Args:
            trials_left: To start.
            workers: Side by side.
            now: Seconds since the epoch.
            epochs_left: Of all trials together; None without such a limit.
        """
        if len(self._counted) < FEWEST_TRIALS:
            return None
        total = sum(each.seconds for each in self._stopped)  # rejected ones cost time, too, but do not count
        each_new = total / len(self._counted)
        running = [self._rest(each, each_new, now) for each in self._running]
        left = max((trials_left * each_new + sum(running)) / max(1, workers), max(running, default=0.0))
        epochs = sum(each.epoch for each in self._stopped)
        if epochs_left is None or not epochs:
            return left
        return min(left, epochs_left * total / epochs / max(1, workers))

    def _rest(self, trial: TrialStanding, each_new: float, now: float) -> float:
        elapsed = 0.0 if trial.since is None else max(0.0, now - trial.since)
        came_as_far = [each for each in self._stopped if trial.epoch and trial.epoch in each.seconds_at]
        if came_as_far:
            return max(0.0, fmean(each.seconds - each.seconds_at[trial.epoch] for each in came_as_far) - elapsed)
        return max(0.0, each_new - trial.seconds - elapsed)
