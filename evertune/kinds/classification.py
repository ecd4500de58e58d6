"""One of several classes holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from evertune.errors import DataError, ExportError
from evertune.kinds._names import index_of, name_problems, no_label, some
from evertune.kinds._scores import best, check_indices
from evertune.kinds.kind import Parameters, Problems
from evertune.rows import Rows
from evertune.tensors import Array, Tensors, TensorSpec

if TYPE_CHECKING:
    from evertune.evaluation import Evaluation

_SUM_TOLERANCE = 1e-3  # float32 softmax over thousands of classes stays below; INT8 keeps its softmax in float32


class Classification:
    """Loss: 1 where the most probable class is not the label, else 0."""

    name = "classification"

    def outputs(self, labels: Sequence[str]) -> tuple[TensorSpec, ...]:
        """One probability a class."""
        return (TensorSpec("probabilities", "float32", (len(labels),)),)

    def parameters(self, task: Any) -> dict[str, Any]:
        """None."""
        return {}

    def problems(self, labels: Sequence[str], parameters: Parameters) -> Problems:
        """See `Kind`."""
        return name_problems(labels, 2, "class names")

    def check_rows(self, labels: Sequence[str], split: str, rows: Rows) -> None:
        """Class indices, int64, shape (rows,); at least two classes to train on."""
        check_indices(labels, split, rows, lowest=0, what="class")
        if split == "train" and len(classes := np.unique(rows.labels)) < 2:
            raise DataError(
                f"all {len(rows)} training rows have the label {labels[int(classes[0])]!r}",
                fix="Give training rows of at least two classes.",
                split="train",
            )

    def check_values(self, values: Array) -> None:
        """Probabilities: not negative, of sum one."""
        totals = values.sum(axis=1, dtype=np.float64)
        if values.min() < -_SUM_TOLERANCE or np.abs(totals - 1).max() > _SUM_TOLERANCE:
            raise ExportError(
                f"the model's outputs are not probabilities: the first row sums to {totals[0]:.4g}, "
                f"its smallest value is {values[0].min():.4g}",
                fix='Add softmax: end the model with Dense(..., activation="softmax") and train with '
                "from_logits=False.",
            )

    def last_layer(self, width: int) -> str:
        """See `Kind`."""
        return f'keras.layers.Dense({width}, activation="softmax")'

    def decisions(self, values: Array, parameters: Parameters) -> tuple[Array, Array]:
        """The most probable class."""
        return best(values)

    def row_losses(self, outputs: Tensors, truth: Array, parameters: Parameters) -> npt.NDArray[np.float64]:
        """See the class."""
        wrong: npt.NDArray[np.bool_] = outputs["probabilities"].argmax(axis=1) != truth
        return wrong.astype(np.float64)

    def certainty(self, outputs: Tensors, parameters: Parameters) -> Array:
        """The largest probability; float32 softmax may exceed one by a rounding."""
        top: Array = np.clip(outputs["probabilities"].max(axis=1), 0.0, 1.0)
        return top

    def encode_label(self, value: Any, labels: Sequence[str]) -> float:
        """From a class name or its index."""
        index = index_of(value, labels)
        if index is None:
            raise no_label(value, "class", f"Send one of {some(labels)}, or an index below {len(labels)}.")
        return float(index)

    def read_label(self, text: str, labels: Sequence[str]) -> Any:
        """A class name; else an index in digits. Names come first."""
        return int(text) if text not in labels and text.isascii() and text.isdigit() and len(text) < 10 else text

    def show_label(self, number: float, labels: Sequence[str]) -> Any:
        """A class name."""
        return labels[int(number)]

    def show_answer(self, answer: dict[str, Any]) -> Any:
        """The class name."""
        return answer["label"]

    def decode_labels(self, numbers: Array, labels: Sequence[str]) -> Array:
        """Class indices, int64."""
        return np.asarray(numbers).astype(np.int64)

    def answer(self, outputs: Tensors, labels: Sequence[str], parameters: Parameters) -> list[dict[str, Any]]:
        """The most probable class."""
        return [{"label": labels[winner]} for winner in outputs["probabilities"].argmax(axis=1).tolist()]

    def example_label(self, labels: Sequence[str]) -> Any:
        """A class name."""
        return labels[0]

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
        """Accuracy, log loss, calibration, ROC AUC, and precision, recall, F1 by class and averaged."""
        from evertune.evaluation.classification import evaluate_classification  # SciPy is not needed to serve

        return evaluate_classification(labels, outputs, truth, seed=seed, resamples=resamples)
