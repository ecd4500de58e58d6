"""What is kept of one trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

State = Literal["completed", "pruned", "rejected", "failed"]


@dataclass(frozen=True)
class TrialRecord:
    """One ended trial, as in the journal.

    Attributes:
        trial_id: "0", "1", ... in the order of starts; "0.1" is a later training of trial 0, for the finals.
        hyperparameters: Active values only.
        state: completed: trained and scored on its ONNX artifact. pruned: stopped at a rung. rejected: over a limit
            before training, or, of scikit-learn, when it was fitted. failed: exception, NaN, timeout or a worker that
            died again and again.
        score: Accuracy of the artifact on validation rows; None unless completed.
        rung_metric: Last validation accuracy that the training framework reported; steers pruning, ranks nothing.
        latency_seconds: One row through the artifact: trained if completed, untrained if rejected or pruned.
        size_bytes: Of the artifact.
        memory_bytes: By which loading and running it raise a process; None where no limit asks for it.
        recipe: Precision of the artifact.
        epochs: Trained.
        seconds: From start to end, wall clock.
        error: Traceback, or why it was rejected.
        origin: "fine-tune", "warm start", "default", "sampler"; "final" of a later training.
        candidates: Figures of all precisions, as in an attestation.
        metrics: Final metrics by name, where a search has other objectives than `score`.
    """

    trial_id: str
    hyperparameters: Mapping[str, Any]
    state: State
    score: float | None = None
    rung_metric: float | None = None
    latency_seconds: float | None = None
    size_bytes: int | None = None
    memory_bytes: int | None = None
    recipe: str | None = None
    epochs: int = 0
    seconds: float = 0.0
    error: str | None = None
    origin: str = "sampler"
    candidates: list[dict[str, Any]] = field(default_factory=list)
    metrics: Mapping[str, float] = field(default_factory=dict)

    def ended(self, origin: str, seconds: float) -> TrialRecord:
        """The same with what only the driver knows."""
        return replace(self, origin=origin, seconds=seconds)

    def to_json(self) -> dict[str, Any]:
        """The record as one object of the journal; JSON has no word for NaN and infinity: they are left out."""
        return dict(_finite(asdict(self)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialRecord:
        """Inverse of `to_json`; what a later version adds is ignored."""
        return cls(**{each.name: data[each.name] for each in fields(cls) if each.name in data})


def _finite(content: Any) -> Any:
    if isinstance(content, list):
        return [_finite(each) for each in content]
    if not isinstance(content, dict):
        return content
    return {key: _finite(each) for key, each in content.items() if not isinstance(each, float) or math.isfinite(each)}
