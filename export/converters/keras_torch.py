"""Keras 3 models on the torch backend: a plain module around the model, then torch's own ONNX exporter.

Keras' `Model.export` is not used: with a dynamic batch it takes the legacy TorchScript road, which fails on
LayerNormalization and unrolls recurrent layers.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from evertune.errors import ExportError
from evertune.tensors import Array, Signature, Tensors
from export.converters.blame import explain
from export.converters.fingerprint import fingerprint
from export.converters.source import Source
from export.converters.template import Template
from export.graph import BATCH
from export.silence import known_noise

OPSET = 20  # the first with Gelu as one operator; ONNX Runtime >= 1.31 knows it
_KEPT_TEMPLATES = 16  # a worker searches few architectures at a time; a template without weights is some kB


class KerasTorchConverter:
    """Exports Keras models, keeping the graphs of architectures it has seen.

    Tracing takes about two seconds and gives the same graph for every set of weights, so the second export of an
    architecture (a trial exports before and after training) only puts the weights into the kept graph. Whether that
    was right is proved by the parity check that every export passes; where it fails, the caller asks again with
    `reuse=False`.
    """

    name = "Keras 3 model (torch backend)"

    def __init__(self) -> None:
        self._templates: OrderedDict[str, Template] = OrderedDict()
        self._lock = threading.Lock()

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a `keras.Model`."""
        return any(base.__name__ == "Model" and base.__module__.startswith("keras.") for base in type(model).__mro__)

    def convert(self, model: Any, signature: Signature, *, reuse: bool = True) -> Source:
        """See `Converter.convert`."""
        _require_torch_backend()
        forward = _Forward(model, signature)
        forward.check()
        key = fingerprint(model, signature)
        template = self._kept(key) if reuse else None
        if template is not None and template.fits(model):
            return Source(template.fill(model, signature), forward, reused=True)
        template = _trace(model, signature, forward)
        self._keep(key, template)
        return Source(template.fill(model, signature), forward)

    def _kept(self, key: str | None) -> Template | None:
        with self._lock:
            return None if key is None else self._templates.get(key)

    def _keep(self, key: str | None, template: Template) -> None:
        if key is None or not template.reusable:
            return
        with self._lock:
            self._templates[key] = template
            self._templates.move_to_end(key)
            while len(self._templates) > _KEPT_TEMPLATES:
                self._templates.popitem(last=False)


def _require_torch_backend() -> None:
    import keras

    if keras.config.backend() != "torch":
        raise ExportError(
            f"Keras runs on the {keras.config.backend()!r} backend, which has no verified road to ONNX yet",
            fix="Set KERAS_BACKEND=torch before Keras is imported.",
            backend=keras.config.backend(),
        )


class _Forward:
    """The model as a function of named arrays."""

    def __init__(self, model: Any, signature: Signature) -> None:
        self.model = model
        self.signature = signature

    def __call__(self, inputs: Tensors) -> Tensors:
        import torch

        with torch.no_grad():
            result = self.call(*(self.tensor(inputs[spec.name]) for spec in self.signature.inputs))
        return {self.signature.outputs[0].name: result.cpu().numpy()}

    def call(self, *tensors: Any) -> Any:
        """The bare call: one tensor as it is, several by name."""
        names = [spec.name for spec in self.signature.inputs]
        given = tensors[0] if len(tensors) == 1 else dict(zip(names, tensors, strict=True))
        return self.model(given, training=False)

    def example(self, rows: int = 2) -> Tensors:
        """Zeros; two rows, because torch bakes in axes of length one. Free axes get length 8, likewise."""
        return {
            spec.name: np.zeros((rows, *(8 if size is None else size for size in spec.shape)), spec.dtype)
            for spec in self.signature.inputs
        }

    def tensor(self, value: Array) -> Any:
        """A torch tensor on the device of the model's weights."""
        import keras
        import torch

        weights = self.model.variables
        device = weights[0].value.device if weights else keras.ops.zeros(()).device
        return torch.as_tensor(np.array(value), device=device)  # a copy: torch refuses read-only arrays

    def on_example(self) -> Any:
        """The model's output for the example rows."""
        import torch

        with torch.no_grad():
            return self.call(*(self.tensor(value) for value in self.example().values()))

    def check(self) -> None:
        """Calls the model once, which also creates the weights of a model that was never called."""
        import torch

        try:
            result = self.on_example()
        except Exception as error:  # whatever a user's layer raises
            raise explain(error, self.on_example, "does not run on the inputs that Task.inputs declares") from error
        if not isinstance(result, torch.Tensor):
            raise ExportError(
                f"the model returns a {type(result).__name__}, not one tensor",
                fix="Give the model one output: class probabilities.",
            )


def _trace(model: Any, signature: Signature, forward: _Forward) -> Template:
    import torch

    example = tuple(forward.tensor(value) for value in forward.example().values())
    with known_noise():
        try:
            program = torch.export.export(
                _plain_module(model, forward), (example,), dynamic_shapes=(_dynamic_shapes(signature),), strict=False
            )
            exported = torch.onnx.export(program, dynamo=True, opset_version=OPSET, optimize=False, verbose=False)
        except Exception as error:  # torch raises a dozen unrelated types here
            raise explain(error, forward.on_example, "does not export to ONNX") from error
    assert exported is not None  # torch returns None only where it is told to write a file
    return Template.of(exported.model_proto, program, model)


def _plain_module(model: Any, forward: _Forward) -> Any:
    import torch

    class Plain(torch.nn.Module):
        """Hides Keras' own call signature, whose `*args` torch.export cannot match."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, inputs: tuple[Any, ...]) -> Any:
            return forward.call(*inputs)

    return Plain()


def _dynamic_shapes(signature: Signature) -> Any:
    import torch

    batch = torch.export.Dim(BATCH)
    return tuple(
        {0: batch, **{axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(spec.shape, 1) if size is None}}
        for spec in signature.inputs
    )
