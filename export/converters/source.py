"""What every converter gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evertune.tensors import Tensors

Predict = Callable[[Tensors], Tensors]


@dataclass(frozen=True)
class Source:
    """A model as ONNX, beside the model it came from.

    Attributes:
        model_bytes: The ONNX file, names as `export.graph.finish` gives them.
        predict: The framework's own forward pass: the task's inputs in, the declared outputs by name out.
            Parity is measured against it.
        external_data: Content of the files with weights that the graph refers to, by name; mostly none.
        reused: The graph is that of an earlier model of the same architecture with this model's weights put in.
    """

    model_bytes: bytes
    predict: Predict
    reused: bool = False
    external_data: Mapping[str, bytes] = field(repr=False, default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return len(self.model_bytes) + sum(map(len, self.external_data.values()))
