"""Keras 3 models on the torch backend: a plain module around the model, then torch's own ONNX exporter.

Keras' `Model.export` is not used: with a dynamic batch it takes the legacy TorchScript road, which fails on
LayerNormalization and unrolls recurrent layers.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from evertune.errors import ExportError
from evertune.tensors import Array, Signature, Tensors
from export.converters.blame import explain
from export.converters.fingerprint import fingerprint
from export.converters.source import Source
from export.converters.template import Template, variable_places
from export.graph import BATCH
from export.silence import known_noise
from export.verify import check_width

OPSET = 20  # the first with Gelu as one operator; ONNX Runtime >= 1.31 knows it
_KEPT_TEMPLATES = 16  # a worker searches few architectures at a time; a template without weights is some kB


class KerasTorchConverter:
    """Exports Keras models, keeping the graphs it has made.

    Exporting takes seconds and gives the same graph for every set of weights, so a model that was exported before (a
    trial exports before and after training) only gets its weights put into the kept graph, and a new model that torch
    traces to a known program skips the translation to ONNX. Whether that was right is proved by the parity check that
    every export passes; where it fails, the caller asks again with `reuse=False`.
    """

    name = "Keras 3 model (torch backend)"

    def __init__(self) -> None:
        self._by_model: WeakKeyDictionary[Any, tuple[Signature, Template]] = WeakKeyDictionary()
        self._by_program: OrderedDict[str, Template] = OrderedDict()
        self._lock = threading.Lock()

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a `keras.Model`."""
        return any(base.__name__ == "Model" and base.__module__.startswith("keras.") for base in type(model).__mro__)

    def convert(self, model: Any, signature: Signature, *, reuse: bool = True) -> Source:
        """See `Converter.convert`."""
        _require_torch_backend()
        forward = _Forward(model, signature)
        forward.check()
        with self._lock:  # torch's exporter keeps state of its own in globals
            template = self._kept(model, signature) if reuse else None
            if template is not None:
                return Source(template.fill(model, signature), forward, reused=True)
            template, reused = self._trace(model, signature, forward, reuse)
            if template.settled:
                self._by_model[model] = signature, template
            return Source(template.fill(model, signature), forward, reused=reused)

    def _kept(self, model: Any, signature: Signature) -> Template | None:
        made_for, template = self._by_model.get(model, (None, None))
        return template if template is not None and made_for == signature and template.fits(model) else None

    def _trace(self, model: Any, signature: Signature, forward: _Forward, reuse: bool) -> tuple[Template, bool]:
        with known_noise():
            try:
                program = _program(model, signature, forward)
                places = variable_places(program, model)
                key = fingerprint(program, places)
                if reuse and key in self._by_program:
                    self._by_program.move_to_end(key)
                    return self._by_program[key], True
                template = Template.of(_translate(program), places, model)
            except Exception as error:  # torch raises a dozen unrelated types here
                raise explain(error, forward.on_example, "does not export to ONNX") from error
        self._by_program[key] = template
        if len(self._by_program) > _KEPT_TEMPLATES:
            self._by_program.popitem(last=False)
        return template, False


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
        """Calls the model once, which also creates the weights of a model that was never called.

        Raises:
            ExportError: It does not run, or its output does not fit the labels: seconds before tracing would tell.
        """
        import torch

        try:
            result = self.on_example()
        except Exception as error:  # whatever a user's layer raises
            raise explain(error, self.on_example, "does not run on the inputs that Task.inputs declares") from error
        if not isinstance(result, torch.Tensor):
            raise ExportError(
                f"the model returns a {type(result).__name__}, not one tensor",
                fix="Give the model one output.",
            )
        check_width(tuple(result.shape), self.signature)


def _program(model: Any, signature: Signature, forward: _Forward) -> Any:
    import torch

    example = tuple(forward.tensor(value) for value in forward.example().values())
    return torch.export.export(
        _plain_module(model, forward), (example,), dynamic_shapes=(_dynamic_shapes(signature),), strict=False
    )


def _translate(program: Any) -> Any:
    import torch

    exported = torch.onnx.export(program, dynamo=True, opset_version=OPSET, optimize=False, verbose=False)
    assert exported is not None  # torch returns None only where it is told to write a file
    return exported.model_proto


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
