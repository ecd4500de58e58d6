"""What an export gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from export.candidate import Candidate
from export.parity import BATCH_SIZES, Parity


@dataclass(frozen=True)
class Measurement:
    """How the candidates were measured.

    Attributes:
        provider: ONNX Runtime's execution provider that was measured: the CPU's where the target is not here.
        threads: Of ONNX Runtime.
        batch_rows: The batch whose latency decides.
        rounds: Of interleaved timing.
        selection_rows: Calibration and training rows, by which candidates were put in order.
    """

    provider: str
    threads: int
    batch_rows: int
    rounds: int
    selection_rows: int

    def to_json(self) -> dict[str, Any]:
        """As in an attestation."""
        return asdict(self)


@dataclass(frozen=True)
class ExportResult:
    """All candidates, and the one that ships.

    Attributes:
        candidates: FP32 first, then the recipes in order, failed ones too.
        chosen: One of `candidates`.
        reason: Why it was chosen, a sentence for people.
        parity: FP32 against the source model.
        validation_rows: Rows on which accuracies were measured.
        measurement: How latencies were; None where none was.
        target: Where it is to be served: "cpu", "cuda" or "tensorrt".
        pending: What only a machine with that target can measure; each has "what", "target" and "recipes".
        scored_rows: Rows that were run together for the accuracies: the server's largest batch.
    """

    candidates: tuple[Candidate, ...]
    chosen: Candidate
    reason: str
    parity: Parity
    validation_rows: int
    measurement: Measurement | None = None
    target: str = "cpu"
    pending: tuple[Mapping[str, Any], ...] = ()
    scored_rows: int = BATCH_SIZES[-1]

    def candidate(self, recipe: str) -> Candidate:
        """The candidate of that recipe."""
        return next(candidate for candidate in self.candidates if candidate.recipe == recipe)
