"""What fine-tuning for INT8 asks of a framework."""

from __future__ import annotations

from typing import Any, Protocol

from evertune.tensors import Tensors
from export.converters.forward import TorchForward
from export.converters.keras_tensorflow import TensorflowForward
from export.converters.source import Predict

LEARNING_RATE = 5e-4
FLOOR = 1e-7  # of a probability, and of a variance


class Student(Protocol):
    """A model that can round as INT8 does, and be trained so. Batch statistics and dropout are as in use."""

    def weights(self) -> Any:
        """A copy of what training changes; empty where all is frozen."""

    def restore(self, weights: Any) -> None:
        """Puts back what `weights` gave."""

    def answer(self, batch: Tensors) -> Any:
        """All outputs as they are, not rounded: what training is to keep."""

    def observe(self, batch: Tensors) -> None:
        """Widens the ranges of activations by these rows."""

    def step(self, batch: Tensors, wanted: Any, share: float) -> None:
        """Pulls the rounded outputs towards `wanted`, with a step of Adam.

        Cross-entropy of probabilities, each class by itself; of other numbers squares, in units of their spread.

        Args:
            batch: Rows.
            wanted: What `answer` gave for them.
            share: Of `LEARNING_RATE`.
        """


def student_of(predict: Predict) -> Student | None:
    """The model of a `Source`; None where it cannot be trained: another framework, or all weights are frozen.

    Args:
        predict: Of the source.
    """
    student: Student
    if isinstance(predict, TorchForward):
        from export.quantization.torch_student import TorchStudent

        student = TorchStudent(predict)
    elif isinstance(predict, TensorflowForward):
        from export.quantization.tensorflow_student import TensorflowStudent

        student = TensorflowStudent(predict)
    else:
        return None
    return student if student.weights() else None
