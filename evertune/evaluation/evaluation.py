"""The report card of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evertune.evaluation.estimate import Estimate


@dataclass(frozen=True)
class Averages:
    """Precision, recall and F1 together, of one class or averaged over classes."""

    precision: Estimate
    recall: Estimate
    f1: Estimate

    def to_json(self) -> dict[str, Any]:
        """The three estimates as JSON."""
        return {name: estimate.to_json() for name, estimate in vars(self).items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Averages:
        """Inverse of `to_json`, exact."""
        return cls(**{name: Estimate.from_json(value) for name, value in data.items()})


@dataclass(frozen=True)
class ClassReport:
    """One class.

    Attributes:
        label: Class name.
        support: Rows of that class.
        scores: Its precision, recall and F1; 0 where nothing was predicted or nothing is there, as scikit-learn's
            `zero_division=0`.
    """

    label: str
    support: int
    scores: Averages

    def to_json(self) -> dict[str, Any]:
        """The class as JSON."""
        return {"label": self.label, "support": self.support, **self.scores.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ClassReport:
        """Inverse of `to_json`, exact."""
        scores = Averages.from_json({name: data[name] for name in ("precision", "recall", "f1")})
        return cls(str(data["label"]), int(data["support"]), scores)


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        rows: Judged.
        accuracy: Share right; its interval is exact (Clopper-Pearson).
        log_loss: Mean of -log(probability of the true class), in nats; bootstrap interval.
        calibration_error: Mean distance between confidence and accuracy over 15 bins of equal width; bootstrap
            interval. It is never 0 on a sample, even for a perfectly calibrated model, and the interval is for the
            same figure on such a sample.
        classes: One a label, in the order of the labels. Precision and recall have Wilson's interval, F1 a bootstrap
            interval.
        averages: "macro" (classes that occur), "micro", "weighted" (by support); bootstrap intervals.
        confusion: Rows of truth by columns of prediction, counts.
    """

    rows: int
    accuracy: Estimate
    log_loss: Estimate
    calibration_error: Estimate
    classes: tuple[ClassReport, ...]
    averages: dict[str, Averages]
    confusion: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """The evaluation as JSON, for attestations and reports."""
        return {
            "rows": self.rows,
            "accuracy": self.accuracy.to_json(),
            "log_loss": self.log_loss.to_json(),
            "calibration_error": self.calibration_error.to_json(),
            "classes": [report.to_json() for report in self.classes],
            "averages": {name: average.to_json() for name, average in self.averages.items()},
            "confusion": [list(row) for row in self.confusion],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Evaluation:
        """Inverse of `to_json`, exact."""
        return cls(
            rows=int(data["rows"]),
            accuracy=Estimate.from_json(data["accuracy"]),
            log_loss=Estimate.from_json(data["log_loss"]),
            calibration_error=Estimate.from_json(data["calibration_error"]),
            classes=tuple(ClassReport.from_json(report) for report in data["classes"]),
            averages={name: Averages.from_json(average) for name, average in data["averages"].items()},
            confusion=tuple(tuple(int(count) for count in row) for row in data["confusion"]),
        )
