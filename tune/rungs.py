"""Which trials go on after an epoch."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Rungs:
    """Asynchronous successive halving, stopping variant, whose first rung is one epoch.

    A trial that reaches a rung goes on if it is in the best third of all that have reached it so far; the first two
    always go on. Rungs lie at 1, 3, 9, ... epochs, up to half of all: later, little is left to save. After one epoch
    the order of trials is already most of the truth: "one epoch, then train the best" matched Hyperband at a tenth of
    the compute in Egele et al. 2023, "Is One Epoch All You Need For Multi-Fidelity Hyperparameter Optimization?"; the
    asynchronous rule is that of Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning".

    Args:
        max_epochs: Of a trial.
        factor: One of so many goes on.
        maximize: The metric is better when larger.

    Example:
        >>> rungs = Rungs(max_epochs=4)
        >>> [rungs.go_on(trial, epoch=1, metric=metric) for trial, metric in [("0", 0.5), ("1", 0.6), ("2", 0.4)]]
        [True, True, False]
        >>> rungs.go_on("0", epoch=2, metric=0.1)
        True
    """

    max_epochs: int
    factor: int = 3
    maximize: bool = True
    _reached: dict[int, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))

    def go_on(self, trial_id: str, *, epoch: int, metric: float) -> bool:
        """Records what a trial reached and says whether it goes on. Asking again gives no second entry.

        A metric that is not a finite number is worse than any other, and ends its trial at once.
        """
        if not math.isfinite(metric):
            metric = -math.inf if self.maximize else math.inf
        if not self._is_rung(epoch):
            return math.isfinite(metric)
        reached = self._reached[epoch]
        reached[trial_id] = metric if self.maximize else -metric
        if not math.isfinite(metric):
            return False
        if len(reached) < self.factor:
            return True
        better = sum(other > reached[trial_id] for other in reached.values())
        return better < len(reached) // self.factor

    def _is_rung(self, epoch: int) -> bool:
        rung = 1
        while rung < epoch:
            rung *= self.factor
        return rung == epoch and 2 * epoch <= self.max_epochs
