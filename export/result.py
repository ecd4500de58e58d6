"""What an export gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export.candidate import Candidate
from export.parity import Parity


@dataclass(frozen=True)
class ExportResult:
    """All candidates, and the one that ships.

    Attributes:
        candidates: FP32 first, then the recipes in order, failed ones too.
        chosen: One of `candidates`.
        reason: Why it was chosen, a sentence for people.
        parity: FP32 against the source model.
        validation_rows: Rows on which accuracies were measured.
        target: Where it is to be served: "cpu" or "cuda".
        pending: What only a machine with that target can measure; each has "what", "target" and "recipes".
    """

    candidates: tuple[Candidate, ...]
    chosen: Candidate
    reason: str
    parity: Parity
    validation_rows: int
    target: str = "cpu"
    pending: tuple[Mapping[str, Any], ...] = ()

    def candidate(self, recipe: str) -> Candidate:
        """The candidate of that recipe."""
        return next(candidate for candidate in self.candidates if candidate.recipe == recipe)
