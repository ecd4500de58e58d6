"""What a job orders from its builder, and what it gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evertune.settings import Project


@dataclass(frozen=True)
class Order:
    """A challenger is wanted.

    Attributes:
        project: Settings, task and stores.
        job_id: Whose train set to learn from.
        folder: For the study; a builder that was killed goes on with what lies there.
    """

    project: Project
    job_id: int
    folder: Path


@dataclass(frozen=True)
class Challenger:
    """A sealed bundle in the store.

    Attributes:
        digest: Of the bundle.
        trial: The chosen trial: id, hyperparameters, score, latency, size, recipe.
        trials: How many the study holds.
    """

    digest: str
    trial: dict[str, Any]
    trials: int

    def to_json(self) -> dict[str, Any]:
        """For the job's detail, and for the file in which the builder leaves it."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Challenger:
        """Inverse of `to_json`."""
        return cls(str(data["digest"]), dict(data["trial"]), int(data["trials"]))


Build = Callable[[Order, Callable[[], None]], Challenger]
"""Builds what was ordered. Calls its second argument every second or so: it raises when the work must be dropped."""
