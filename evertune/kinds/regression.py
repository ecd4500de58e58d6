"""One number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from evertune.errors import DataError, InputError
from evertune.kinds.kind import Parameters, Problems
from evertune.rows import Rows
from evertune.tensors import Array, Tensors, TensorSpec

if TYPE_CHECKING:
    from evertune.evaluation import Evaluation

_LARGEST = float(np.finfo(np.float32).max)


class Regression:
    """Loss: min(1, |value - truth| / loss_scale)."""

    name = "regression"

    def outputs(self, labels: Sequence[str]) -> tuple[TensorSpec, ...]:
        """The value."""
        return (TensorSpec("value", "float32", (1,)),)

    def parameters(self, task: Any) -> dict[str, Any]:
        """`loss_scale`: the absolute error that counts as wholly wrong, in units of the target."""
        return {"loss_scale": getattr(task, "loss_scale", None)}

    def problems(self, labels: Sequence[str], parameters: Parameters) -> Problems:
        """See `Kind`."""
        found: Problems = []
        if not isinstance(labels, tuple) or len(labels) != 1 or not isinstance(labels[0], str):
            found.append((f"has labels {labels!r}", 'Give the target\'s name alone, such as labels = ("price",).'))
        scale = parameters.get("loss_scale")
        if not isinstance(scale, int | float) or isinstance(scale, bool) or not 0 < scale < math.inf:
            fix = "Set loss_scale to the absolute error that counts as wholly wrong, a number above zero."
            found.append((f"has loss_scale {scale!r}", fix))
        return found

    def check_rows(self, labels: Sequence[str], split: str, rows: Rows) -> None:
        """Finite floats, shape (rows,), not all the same to train on."""
        if rows.labels.dtype.kind != "f" or rows.labels.ndim != 1:
            raise DataError(
                f"split {split!r} has labels of dtype {rows.labels.dtype} and shape {list(rows.labels.shape)}",
                fix="Give float32 targets, one a row.",
                split=split,
            )
        wrong = np.flatnonzero(~(np.abs(rows.labels) <= _LARGEST))  # NaN is not
        if len(wrong):
            raise DataError(
                f"split {split!r}, row {wrong[0]}: label {float(rows.labels[wrong[0]])} is no finite float32 "
                f"({len(wrong)} such rows)",
                fix="Give finite targets only.",
                split=split,
                row=int(wrong[0]),
            )
        if split == "train" and np.ptp(rows.labels) == 0:
            raise DataError(
                f"all {len(rows)} training rows have the label {float(rows.labels[0])}",
                fix="Give training rows with different targets.",
                split="train",
            )

    def check_values(self, values: Array) -> None:
        """Any finite number will do."""

    def last_layer(self, width: int) -> str:
        """See `Kind`."""
        return "keras.layers.Dense(1)"

    def decisions(self, values: Array, parameters: Parameters) -> tuple[Array, Array]:
        """Nothing is decided: a value a little off is a value a little off."""
        return np.zeros(len(values), np.int64), np.full(len(values), np.inf)

    def row_losses(self, outputs: Tensors, truth: Array, parameters: Parameters) -> npt.NDArray[np.float64]:
        """See the class."""
        error = np.abs(outputs["value"].reshape(-1).astype(np.float64) - np.asarray(truth, np.float64))
        losses: npt.NDArray[np.float64] = np.minimum(1.0, error / float(parameters["loss_scale"]))
        return losses

    def certainty(self, outputs: Tensors, parameters: Parameters) -> Array:
        """A constant: one number says nothing of how sure it is. Confidence is then the mean score of calibration."""
        return np.full(len(outputs["value"]), 0.5)

    def encode_label(self, value: Any, labels: Sequence[str]) -> float:
        """From a finite number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
            raise InputError(f"label {str(value)[:80]!r} is no number", fix=f"Send {labels[0]!r} as a finite number.")
        return float(value)

    def read_label(self, text: str, labels: Sequence[str]) -> Any:
        """A number."""
        try:
            return float(text)
        except ValueError:
            return text

    def show_label(self, number: float, labels: Sequence[str]) -> Any:
        """The value."""
        return number

    def show_answer(self, answer: dict[str, Any]) -> Any:
        """The value."""
        return float(answer["value"])

    def decode_labels(self, numbers: Array, labels: Sequence[str]) -> Array:
        """Targets, float32."""
        return np.asarray(numbers).astype(np.float32)

    def answer(self, outputs: Tensors, labels: Sequence[str], parameters: Parameters) -> list[dict[str, Any]]:
        """The value."""
        return [{"value": value} for value in outputs["value"].reshape(-1)]

    def example_label(self, labels: Sequence[str]) -> Any:
        """A number."""
        return 12.5

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
        """MSE, RMSE, MAE, R2 and the score."""
        from evertune.evaluation.regression import evaluate_regression  # SciPy is not needed to serve

        losses = self.row_losses(outputs, truth, parameters)
        return evaluate_regression(outputs["value"], truth, losses, seed=seed, resamples=resamples)
