"""Where a re-tune begins: with the model that is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class WarmStart:
    """Tried before anything else.

    Attributes:
        hyperparameters: Settings in this order, the incumbent's first. What the search space does not hold any more
            falls back to its default.
        weights: `weights.npz` of the incumbent (in its bundle's `training` folder). The first trial goes on from them
            if its architecture is the same; None trains it anew.
    """

    hyperparameters: tuple[Mapping[str, Any], ...] = ()
    weights: Path | None = None
