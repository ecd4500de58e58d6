"""What every converter gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evertune.tensors import Tensors

Predict = Callable[[Tensors], Tensors]


@dataclass(frozen=True)
class Source:
    """A model as ONNX, beside the model it came from.

    Attributes:
        model_bytes: The ONNX file, names as `export.graph.finish` gives them.
        predict: The framework's own forward pass: the task's inputs in, the declared outputs by name out.
            Parity is measured against it.
        reused: The graph is that of an earlier model of the same architecture with this model's weights put in.
    """

    model_bytes: bytes
    predict: Predict
    reused: bool = False
