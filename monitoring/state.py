"""What the evaluator remembers about one bundle, as it stands in the ledger's table of detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evertune.bundle import Reference
from evertune.settings import MonitorSettings
from evertune.statistics import ConfidenceSequence, EDetector
from monitoring.tally import Tally

# The detector needs a limit below 1. A model this bad cannot get worse by more than this, and never alarms.
_LARGEST_LIMIT = 1 - 1e-6


@dataclass
class BundleState:
    """Detector and accuracy since a deployment, and counts since ever.

    Its JSON is the detector's with three keys more, so that `EDetector.from_json` reads it too.

    Attributes:
        deployment: Sequence of the deployment since which labels count; 0 where the bundle never was champion.
        detector: Of the loss.
        accuracy: Running accuracy of the same labels.
        tally: Of all labels of the bundle.
    """

    deployment: int
    detector: EDetector
    accuracy: ConfidenceSequence
    tally: Tally

    @classmethod
    def fresh(cls, deployment: int, reference: Reference, settings: MonitorSettings, tally: Tally) -> BundleState:
        """At the start of a deployment."""
        tolerance = min(settings.tolerance, _LARGEST_LIMIT)
        loss = min(reference.loss_upper_bound, _LARGEST_LIMIT - tolerance)
        return cls(deployment, EDetector(loss, tolerance, settings.run_length_labels), ConfidenceSequence(), tally)

    def update(self, losses: Sequence[float]) -> None:
        """Takes losses in the order in which their labels came."""
        self.detector.update(losses)
        self.accuracy.update([1.0 - loss for loss in losses])

    def same_question(self, other: BundleState) -> bool:
        """Whether both test the same hypothesis with the same guarantee, since the same deployment."""
        return self._question() == other._question()

    def _question(self) -> tuple[float, ...]:
        detector = self.detector
        return (self.deployment, detector.reference_loss, detector.tolerance, detector.run_length)

    def to_json(self) -> dict[str, Any]:
        """The state; floats survive JSON exactly."""
        return {
            **self.detector.to_json(),
            "deployment": self.deployment,
            "accuracy": self.accuracy.to_json(),
            "tally": self.tally.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BundleState:
        """Inverse of `to_json`, exact."""
        return cls(
            int(data["deployment"]),
            EDetector.from_json(data),
            ConfidenceSequence.from_json(data["accuracy"]),
            Tally.from_json(data["tally"]),
        )
