"""Each of several labels holds or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from evertune.errors import DataError, ExportError, InputError
from evertune.kinds._names import index_of, name_problems, no_label, some
from evertune.kinds.kind import Parameters, Problems
from evertune.rows import Rows
from evertune.tensors import Array, Tensors, TensorSpec

if TYPE_CHECKING:
    from evertune.evaluation import Evaluation

MOST_LABELS = 52  # a float64 holds every whole number up to 2^53
_TOLERANCE = 1e-3


class Multilabel:
    """Loss: 1 - |A and B| / |A or B| of the labels A that are predicted and B that hold; 0 where both are empty.

    Source: P. Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11 (1912); as a loss of a
    row, M. Zhang and Z. Zhou, "A review on multi-label learning algorithms", TKDE 26 (2014).
    """

    name = "multilabel"

    def outputs(self, labels: Sequence[str]) -> tuple[TensorSpec, ...]:
        """One probability a label, each for itself."""
        return (TensorSpec("probabilities", "float32", (len(labels),)),)

    def parameters(self, task: Any) -> dict[str, Any]:
        """`threshold`: a label is predicted where its probability is at least this."""
        return {"threshold": getattr(task, "threshold", None)}

    def problems(self, labels: Sequence[str], parameters: Parameters) -> Problems:
        """See `Kind`."""
        found = name_problems(labels, 1, "label names")
        if not found and len(labels) > MOST_LABELS:
            found.append((f"has {len(labels)} labels", f"Give at most {MOST_LABELS}."))
        threshold = parameters.get("threshold")
        if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not 0 < threshold < 1:
            found.append((f"has threshold {threshold!r}", "Set threshold to a number between 0 and 1."))
        return found

    def check_rows(self, labels: Sequence[str], split: str, rows: Rows) -> None:
        """0 or 1 by row and label, uint8, shape (rows, labels); something that differs to train on."""
        if rows.labels.dtype.kind not in "iub" or rows.labels.shape != (len(rows), len(labels)):
            raise DataError(
                f"split {split!r} has labels of dtype {rows.labels.dtype} and shape {list(rows.labels.shape)}",
                fix=f"Give uint8 zeros and ones, shape (rows, {len(labels)}).",
                split=split,
            )
        wrong = np.argwhere((rows.labels != 0) & (rows.labels != 1))
        if len(wrong):
            row, column = (int(index) for index in wrong[0])
            raise DataError(
                f"split {split!r}, row {row}: label {labels[column]!r} is {rows.labels[row, column]}, not 0 or 1",
                fix="Give 1 where the label holds, else 0.",
                split=split,
                row=row,
            )
        if split == "train" and (rows.labels == rows.labels[:1]).all():
            raise DataError(
                f"all {len(rows)} training rows have the same labels",
                fix="Give training rows with different labels.",
                split="train",
            )

    def check_values(self, values: Array) -> None:
        """Each a probability; sums mean nothing."""
        if values.min() < -_TOLERANCE or values.max() > 1 + _TOLERANCE:
            raise ExportError(
                f"the model's outputs are not probabilities: they range from {values.min():.4g} to {values.max():.4g}",
                fix='Add sigmoid: end the model with Dense(..., activation="sigmoid") and train with '
                "from_logits=False.",
            )

    def last_layer(self, width: int) -> str:
        """See `Kind`."""
        return f'keras.layers.Dense({width}, activation="sigmoid")'

    def decisions(self, values: Array, parameters: Parameters) -> tuple[Array, Array]:
        """Which labels are predicted; how far the closest is from the threshold, twice: only one side of it moves."""
        threshold = parameters["threshold"]
        return (values >= threshold).astype(np.int64), 2 * np.abs(values - threshold).min(axis=1)

    def row_losses(self, outputs: Tensors, truth: Array, parameters: Parameters) -> npt.NDArray[np.float64]:
        """See the class."""
        predicted, holds = outputs["probabilities"] >= parameters["threshold"], np.asarray(truth) > 0
        either = (predicted | holds).sum(axis=1)
        both = (predicted & holds).sum(axis=1)
        losses: npt.NDArray[np.float64] = np.where(either > 0, 1.0 - both / np.maximum(either, 1), 0.0)
        return losses

    def certainty(self, outputs: Tensors, parameters: Parameters) -> Array:
        """Expected |A and B| / expected |A or B|, were the labels independent; no label predicted: that none holds."""
        p = np.clip(outputs["probabilities"].astype(np.float64), 0.0, 1.0)
        predicted = p >= parameters["threshold"]
        both, missed = (p * predicted).sum(axis=1), (p * ~predicted).sum(axis=1)
        count = predicted.sum(axis=1)
        expected: Array = np.where(count > 0, both / np.maximum(count + missed, 1e-12), np.prod(1 - p, axis=1))
        return expected

    def encode_label(self, value: Any, labels: Sequence[str]) -> float:
        """From a list of the labels that hold, names or indices: the sum of 2^index."""
        if not isinstance(value, list | tuple):
            fix = f"Send a list of those that hold, of {some(labels)}; an empty one where none does."
            raise InputError(f"label {str(value)[:80]!r} is no list", fix=fix)
        indices = set()
        for each in value:
            index = index_of(each, labels)
            if index is None:
                raise no_label(each, "label", f"Send a list of {some(labels)}, or of indices below {len(labels)}.")
            indices.add(index)
        return float(sum(1 << index for index in indices))

    def read_label(self, text: str, labels: Sequence[str]) -> Any:
        """A JSON list of names or indices."""
        try:
            return json.loads(text)
        except ValueError:
            return text

    def show_label(self, number: float, labels: Sequence[str]) -> Any:
        """The names of those that hold."""
        return [label for index, label in enumerate(labels) if int(number) >> index & 1]

    def show_answer(self, answer: dict[str, Any]) -> Any:
        """The names of those that are predicted."""
        return answer["labels"]

    def decode_labels(self, numbers: Array, labels: Sequence[str]) -> Array:
        """0 or 1, uint8, shape (rows, labels)."""
        bits = np.asarray(numbers).astype(np.int64)[:, None] >> np.arange(len(labels))
        return np.asarray(bits & 1, np.uint8)

    def answer(self, outputs: Tensors, labels: Sequence[str], parameters: Parameters) -> list[dict[str, Any]]:
        """The labels that are predicted, and the probability of each."""
        values = outputs["probabilities"]
        predicted = values >= parameters["threshold"]
        return [
            {
                "labels": [label for label, holds in zip(labels, row_predicted, strict=True) if holds],
                "probabilities": dict(zip(labels, row, strict=True)),
            }
            for row, row_predicted in zip(values, predicted, strict=True)
        ]

    def example_label(self, labels: Sequence[str]) -> Any:
        """A list of names."""
        return [labels[0]]

    def evaluate(
        self,
        labels: tuple[str, ...],
        outputs: Tensors,
        truth: Array,
        *,
        parameters: Parameters,
        seed: int,
        resamples: int,
    ) -> Evaluation:
        """Hamming loss, exact match, log loss, calibration, ROC AUC; precision, recall, F1 by label and averaged."""
        from evertune.evaluation.multilabel import evaluate_multilabel  # SciPy is not needed to serve

        losses = self.row_losses(outputs, truth, parameters)
        return evaluate_multilabel(
            labels,
            outputs["probabilities"],
            truth,
            losses,
            threshold=parameters["threshold"],
            seed=seed,
            resamples=resamples,
        )
