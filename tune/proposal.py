"""What a trial tries. Importing this imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FINE_TUNE = "fine-tune"
"""Origin of a trial that goes on from trained weights: another trial than its twin from scratch."""


@dataclass(frozen=True)
class Proposal:
    """Values of the active hyperparameters, and their origin: "fine-tune", "warm start", "default" or "sampler"."""

    values: Mapping[str, Any]
    origin: str
