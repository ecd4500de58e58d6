"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        area: What was looked at: "ledger", "port", ...
        state: "problem": something does not work. "warning": something will not, or may not.
        text: What is there, with its figures.
        fix: The command, or the deed, that mends it; None where all is well.
    """

    area: str
    state: State
    text: str
    fix: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return dict(vars(self))
