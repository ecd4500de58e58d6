"""Where a re-tune begins: with the model that is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tune.proposals import FINE_TUNE, Proposal


@dataclass(frozen=True)
class WarmStart:
    """Tried before anything else.

    Attributes:
        hyperparameters: Settings in this order, the incumbent's first. What the search space does not hold any more
            falls back to its default.
        weights: `weights.npz` of the incumbent (in its bundle's `training` folder). One trial goes on from them if its
            architecture is the same, a second trains the incumbent's hyperparameters from scratch; None: only that.
    """

    hyperparameters: tuple[Mapping[str, Any], ...] = ()
    weights: Path | None = None

    def queue(self) -> tuple[Proposal, ...]:
        """What the search tries first: fine-tuning, then everything from scratch."""
        fine_tuned = [] if self.weights is None else [Proposal(each, FINE_TUNE) for each in self.hyperparameters[:1]]
        return (*fine_tuned, *(Proposal(each, "warm start") for each in self.hyperparameters))
