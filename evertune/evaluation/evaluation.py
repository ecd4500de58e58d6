"""The report card of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    """One class, or one label of several.

    Attributes:
        label: Class name.
        support: Rows of that class.
        scores: Its precision, recall and F1; 0 where nothing was predicted or nothing is there, as scikit-learn's
            `zero_division=0`.
        roc_auc: Against the rest; 0.5 with the interval [0, 1] where one of both sides has no rows.
        average_precision: Against the rest; 0 with the interval [0, 1] where the class has no rows.
    """

    label: str
    support: int
    scores: Averages
    roc_auc: Estimate
    average_precision: Estimate

    def to_json(self) -> dict[str, Any]:
        """The class as JSON."""
        ranked = {"roc_auc": self.roc_auc.to_json(), "average_precision": self.average_precision.to_json()}
        return {"label": self.label, "support": self.support, **self.scores.to_json(), **ranked}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ClassReport:
        """Inverse of `to_json`, exact."""
        scores = Averages.from_json({name: data[name] for name in ("precision", "recall", "f1")})
        ranked = (Estimate.from_json(data[name]) for name in ("roc_auc", "average_precision"))
        return cls(str(data["label"]), int(data["support"]), scores, *ranked)


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        kind: Of the task.
        rows: Judged.
        score: 1 - mean bounded loss of the kind; for classification the accuracy.
        metrics: By name; see `docs/kinds.md` for each kind's.
        classes: One a label, in the order of the labels; for classification and multilabel. Precision and recall have
            Wilson's interval, the others a bootstrap interval.
        averages: "macro", "micro", "weighted" (by support); bootstrap intervals. Macro means are over the classes that
            occur in classification, over all labels in multilabel, as in scikit-learn.
        confusion: Rows of truth by columns of prediction, counts; for classification.
        slices: The same metrics on parts of the rows, by name.
    """

    kind: str
    rows: int
    score: Estimate
    metrics: Mapping[str, Estimate]
    classes: tuple[ClassReport, ...] = ()
    averages: Mapping[str, Averages] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()
    slices: Mapping[str, Slice] = field(default_factory=dict)

    @property
    def accuracy(self) -> Estimate:
        """Share right; for classification."""
        return self.metrics["accuracy"]

    @property
    def log_loss(self) -> Estimate:
        """Mean of -log(probability of the truth), in nats; for classification and multilabel."""
        return self.metrics["log_loss"]

    @property
    def calibration_error(self) -> Estimate:
        """Mean distance between confidence and share right over 15 bins of equal width.

        It is never 0 on a sample, even for a perfectly calibrated model, and the interval is for the same figure on
        such a sample. For classification and multilabel.
        """
        return self.metrics["calibration_error"]

    def with_slices(self, slices: Mapping[str, Slice]) -> Evaluation:
        """The same with figures for parts of the rows."""
        return replace(self, slices=slices)

    def to_json(self) -> dict[str, Any]:
        """The evaluation as JSON, for attestations and reports; `metrics` names the keys that hold metrics."""
        return {
            "kind": self.kind,
            "rows": self.rows,
            "score": self.score.to_json(),
            "metrics": list(self.metrics),
            **_to_json(self.metrics),
            "classes": [report.to_json() for report in self.classes],
            "averages": _to_json(self.averages),
            "confusion": [list(row) for row in self.confusion],
            "slices": _to_json(self.slices),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Evaluation:
        """Inverse of `to_json`, exact."""
        return cls(
            kind=str(data["kind"]),
            rows=int(data["rows"]),
            score=Estimate.from_json(data["score"]),
            metrics={name: Estimate.from_json(data[name]) for name in data["metrics"]},
            classes=tuple(ClassReport.from_json(report) for report in data["classes"]),
            averages={name: Averages.from_json(average) for name, average in data["averages"].items()},
            confusion=tuple(tuple(int(count) for count in row) for row in data["confusion"]),
            slices={name: Slice.from_json(part) for name, part in data["slices"].items()},
        )


@dataclass(frozen=True)
class Slice:
    """A named part of the rows.

    Attributes:
        rows: Of the part.
        score: 1 - mean bounded loss; None without rows.
        metrics: By name; empty without rows.
    """

    rows: int
    score: Estimate | None
    metrics: Mapping[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """The part as JSON, built like an evaluation."""
        score = None if self.score is None else self.score.to_json()
        return {"rows": self.rows, "score": score, "metrics": list(self.metrics), **_to_json(self.metrics)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Slice:
        """Inverse of `to_json`, exact."""
        score = None if data["score"] is None else Estimate.from_json(data["score"])
        return cls(int(data["rows"]), score, {name: Estimate.from_json(data[name]) for name in data["metrics"]})


def _to_json(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part.to_json() for name, part in parts.items()}
