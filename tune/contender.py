"""One trial as it is compared with others: all its trainings together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evertune.tensors import Array
from tune.record import TrialRecord


@dataclass(frozen=True)
class Contender:
    """A completed trial, with what its trainings from fresh seeds gave.

    Attributes:
        trial: As the search left it.
        fresh: Later trainings of the same values; those that completed count.
        measured_seconds: Latency measured alone, beside the others; None where it was not.
        losses_of: Of the validation rows, by training.
    """

    trial: TrialRecord
    fresh: tuple[TrialRecord, ...] = ()
    measured_seconds: float | None = None
    losses_of: Callable[[str], Array | None] = field(repr=False, default=lambda training: None)

    @property
    def trainings(self) -> list[TrialRecord]:
        """All, the most accurate first; of equals the earlier."""
        completed = [each for each in self.fresh if each.state == "completed"]
        return sorted((self.trial, *completed), key=lambda each: -(each.score or 0.0))

    @property
    def scores(self) -> list[float]:
        """Accuracy of each training's artifact on validation rows."""
        return [each.score or 0.0 for each in self.trainings]

    @property
    def accuracy(self) -> float:
        """The mean of `scores`."""
        return float(np.mean(self.scores))

    @property
    def latency_seconds(self) -> float:
        """Measured alone where it was, else in the search."""
        return self.trial.latency_seconds or 0.0 if self.measured_seconds is None else self.measured_seconds

    @property
    def size_bytes(self) -> int:
        """Of the artifact."""
        return self.trial.size_bytes or 0

    @property
    def losses(self) -> Array | None:
        """Of each validation row, mean of the trainings; None unless those of all were kept."""
        found = [self.losses_of(each.trial_id) for each in self.trainings]
        kept = [each for each in found if each is not None]
        if len(kept) < len(found) or len({len(each) for each in kept}) != 1:
            return None
        return np.asarray(np.mean(kept, axis=0))

    def to_json(self) -> dict[str, Any]:
        """For reports."""
        return {
            "trial_id": self.trial.trial_id,
            "accuracy": self.accuracy,
            "trainings": {each.trial_id: each.score for each in self.trainings},
            "latency_seconds": self.latency_seconds,
            "size_bytes": self.size_bytes,
        }
