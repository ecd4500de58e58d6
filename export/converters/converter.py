"""What a framework must offer to be exported."""

from __future__ import annotations

from typing import Any, Protocol

from evertune.tensors import Signature
from export.converters.source import Predict, Source
from export.graph import MOST_WEIGHTS_BYTES


class Converter(Protocol):
    """One framework's way to ONNX. A new framework is one file with such a class and one line in `CONVERTERS`.

    Attributes:
        name: For messages: "Keras 3 on torch".
    """

    @property
    def name(self) -> str:
        """For messages."""

    def accepts(self, model: Any) -> bool:
        """Whether `model` is of this framework. Imports nothing: a model that exists has its framework loaded."""

    def forward(self, model: Any, signature: Signature, kind: str) -> Predict:
        """The framework's own forward pass of a model, see `Source.predict`."""

    def architecture(self, model: Any, signature: Signature, kind: str) -> str | None:
        """A key that models share when their graphs differ in the values of weights only; None where there is none."""

    def convert(
        self,
        model: Any,
        signature: Signature,
        *,
        kind: str = "classification",
        reuse: bool = True,
        most_bytes: int = MOST_WEIGHTS_BYTES,
    ) -> Source:
        """Converts a model.

        Args:
            model: What `Task.build` returned, trained or not.
            signature: Declared inputs and outputs.
            kind: Of the task: says what logits become.
            reuse: Allow the graph of an earlier model of the same architecture.
            most_bytes: Of weights in the graph; with more they lie in a file beside it.

        Raises:
            RouteError: Names the operator or layer that does not convert, and what to do.
            ExportError: Likewise, where no other exporter could convert it either.
        """
