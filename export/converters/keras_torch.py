"""Keras 3 models on the torch backend: a plain module around the model, then torch's own ONNX exporter.

Keras' `Model.export` is not used: with a dynamic batch it takes the legacy TorchScript road, which fails on
LayerNormalization and unrolls recurrent layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from evertune.tensors import Signature
from export.converters.backend import is_keras_on
from export.converters.blame import KERAS
from export.converters.forward import TorchForward
from export.converters.host_side import refuse_host_side
from export.converters.precision import full_precision
from export.converters.source import Predict, Source
from export.converters.tracer import Tracer
from export.graph import MOST_WEIGHTS_BYTES


class KerasTorchConverter:
    """See `Converter`; graphs are kept as `Tracer` says."""

    name = "Keras 3 model (torch backend)"

    def __init__(self) -> None:
        self._tracer = Tracer()

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a `keras.Model`, and Keras runs on torch."""
        return is_keras_on("torch", model)

    def forward(self, model: Any, signature: Signature, kind: str) -> Predict:
        """See `Converter.forward`."""
        return _Forward(model, signature, KERAS)

    def architecture(self, model: Any, signature: Signature, kind: str) -> str | None:
        """See `Converter.architecture`."""
        return self._tracer.architecture(_Forward(model, signature, KERAS))

    def operations(self, model: Any, signature: Signature, kind: str) -> str | None:
        """See `Sketcher.operations`."""
        return self._tracer.operations(_Forward(model, signature, KERAS))

    def sketch(self, model: Any, signature: Signature, kind: str) -> bytes | None:
        """See `Sketcher.sketch`."""
        return self._tracer.sketch(_Forward(model, signature, KERAS))

    def convert(
        self,
        model: Any,
        signature: Signature,
        *,
        kind: str = "classification",
        reuse: bool = True,
        most_bytes: int = MOST_WEIGHTS_BYTES,
    ) -> Source:
        """See `Converter.convert`."""
        refuse_host_side(model)
        return self._tracer.source(_Forward(model, signature, KERAS), reuse=reuse, most_bytes=most_bytes)


class _Forward(TorchForward):
    """The bare call: one tensor as it is, several by name."""

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Keras' loop over time steps makes a list of the rows of a batch, which fixes their number; unrolled not."""
        from keras.src import backend

        loop = backend.rnn

        def unrolled(step: Any, inputs: Any, *args: Any, **options: Any) -> Any:
            if options.get("go_backwards") and options.get("mask") is not None:  # Keras flips a list here, and fails
                time = 0 if options.get("time_major") else 1
                inputs, options["mask"] = inputs.flip(time), options["mask"].flip(time)
                options["go_backwards"] = False
            return loop(step, inputs, *args, **{**options, "unroll": True})

        backend.rnn = unrolled
        try:
            with super().tracing():
                yield
        finally:
            backend.rnn = loop

    def call(self, *tensors: Any) -> Any:
        names = [spec.name for spec in self.signature.inputs]
        given = tensors[0] if len(tensors) == 1 else dict(zip(names, tensors, strict=True))
        with full_precision(self.model):
            return self.model(given, training=False)

    def variables(self) -> list[Any]:
        return [variable.value for variable in self.model.variables]

    def device(self) -> Any:
        import keras

        return keras.ops.zeros(()).device
