"""What a phase of a job leads to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["promoted", "rejected", "insufficient", "failed", "rolled_back", "recommended"]


@dataclass(frozen=True)
class Next:
    """The job goes on with another phase.

    Attributes:
        phase: Its name.
        detail: Merged into the job's detail in the same transaction.
    """

    phase: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """The job is over.

    Attributes:
        outcome: Its last status.
        reason: In words.
        detail: Merged into the job's detail in the same transaction.
    """

    outcome: Outcome
    reason: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Await:
    """The job is set aside until somebody, or the time, lets it go on in the same phase.

    Attributes:
        what: "approval", "pause" or "maintenance".
        detail: Merged into the job's detail in the same transaction.
    """

    what: Literal["approval", "pause", "maintenance"]
    detail: dict[str, Any] = field(default_factory=dict)


Step = Next | End | Await
