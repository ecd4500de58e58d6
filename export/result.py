"""What an export gives."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    candidates: tuple[Candidate, ...]
    chosen: Candidate
    reason: str
    parity: Parity
    validation_rows: int

    def candidate(self, recipe: str) -> Candidate:
        """The candidate of that recipe."""
        return next(candidate for candidate in self.candidates if candidate.recipe == recipe)
