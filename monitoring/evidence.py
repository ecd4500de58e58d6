"""What the evaluator says about a champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evertune.statistics import EDetector


@dataclass(frozen=True)
class Evidence:
    """The drift evidence against one bundle.

    Attributes:
        model: Name.
        digest: Of the bundle.
        deployment: Sequence of the deployment since which labels count.
        labels: Taken since then.
        log10_evidence: Now; never below the threshold once it has been crossed.
        log10_threshold: The line.
        alarm_at: Labels taken at the first crossing; None before. It stays until the champion changes.
        onset: Labels taken before the most likely time of change.
        reference_loss: Upper bound of the bundle's loss on data that the search never saw.
        tolerance: Loss above it that is still fine.
    """

    model: str
    digest: str
    deployment: int
    labels: int
    log10_evidence: float
    log10_threshold: float
    alarm_at: int | None
    onset: int
    reference_loss: float
    tolerance: float

    @classmethod
    def of(cls, model: str, digest: str, deployment: int, detector: EDetector) -> Evidence:
        """The evidence as a detector holds it."""
        latched = detector.log10_threshold if detector.alarmed else 0.0
        return cls(
            model,
            digest,
            deployment,
            detector.count,
            max(detector.log10_evidence, latched),
            detector.log10_threshold,
            detector.alarm_at,
            detector.onset,
            detector.reference_loss,
            detector.tolerance,
        )

    @property
    def alarmed(self) -> bool:
        """Whether the evidence has ever crossed the threshold since the deployment."""
        return self.alarm_at is not None

    @property
    def fingerprint(self) -> str:
        """The same for the same alarm; a bundle that is deployed again can raise another."""
        return f"{self.digest}:{self.deployment}:{self.alarm_at}"

    def to_json(self) -> dict[str, Any]:
        """For the evidence of a re-tune request."""
        return dict(vars(self))
