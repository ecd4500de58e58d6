"""From a torch model to a graph, by torch's own ONNX exporter; graphs are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

from evertune.tensors import Signature
from export.converters.blame import explain
from export.converters.failed import RouteError
from export.converters.fingerprint import fingerprint
from export.converters.forward import TorchForward
from export.converters.source import Source
from export.converters.template import Template, variable_places
from export.graph import BATCH, MOST_WEIGHTS_BYTES
from export.silence import known_noise

OPSET = 20  # the first with Gelu as one operator; ONNX Runtime >= 1.31 knows it
_KEPT_TEMPLATES = 16  # a worker searches few architectures at a time; a template without weights is some kB


class Tracer:
    """Exports models, keeping the graphs it has made.

    Exporting takes seconds and gives the same graph for every set of weights, so a model that was exported before (a
    trial exports before and after training) only gets its weights put into the kept graph, and a new model that torch
    traces to a known program skips the translation to ONNX. Whether that was right is proved by the parity check that
    every export passes; where it fails, the caller asks again with `reuse=False`.
    """

    def __init__(self) -> None:
        self._by_model: WeakKeyDictionary[Any, tuple[Signature, Template]] = WeakKeyDictionary()
        self._by_program: OrderedDict[str, Template] = OrderedDict()
        self._lock = threading.Lock()

    def source(self, forward: TorchForward, *, reuse: bool, most_bytes: int = MOST_WEIGHTS_BYTES) -> Source:
        """The model as ONNX; the arguments are those of `Converter.convert`.

        Raises:
            ExportError: See `Converter.convert`.
        """
        forward.check()
        model, signature = forward.model, forward.signature
        with self._lock:  # torch's exporter keeps state of its own in globals
            template = self._kept(forward) if reuse else None
            if template is not None:
                reused = True
            else:
                template, reused = self._trace(forward, reuse)
                if template.settled:
                    self._by_model[model] = signature, template
            files = template.fill(forward.variables(), signature, most_bytes=most_bytes)
            return Source(files.model_bytes, forward, reused=reused, external_data=files.external_data)

    def _kept(self, forward: TorchForward) -> Template | None:
        made_for, template = self._by_model.get(forward.model, (None, None))
        fits = template is not None and made_for == forward.signature and template.fits(forward.variables())
        return template if fits else None

    def _trace(self, forward: TorchForward, reuse: bool) -> tuple[Template, bool]:
        with known_noise():
            try:
                program = _program(forward)
                places = variable_places(program, forward.variables())
                key = fingerprint(program, places)
                if reuse and key in self._by_program:
                    self._by_program.move_to_end(key)
                    return self._by_program[key], True
                template = Template.of(_translate(program), places, forward.variables())
            except Exception as error:  # torch raises a dozen unrelated types here
                raise RouteError.of(
                    explain(error, forward.on_example, "does not export to ONNX", forward.words)
                ) from error
        self._by_program[key] = template
        if len(self._by_program) > _KEPT_TEMPLATES:
            self._by_program.popitem(last=False)
        return template, False


def _program(forward: TorchForward) -> Any:
    import torch

    with forward.tracing():
        return torch.export.export(
            _plain_module(forward),
            (forward.example(),),
            dynamic_shapes=(_dynamic_shapes(forward.signature),),
            strict=False,
        )


def _translate(program: Any) -> Any:
    import torch

    exported = torch.onnx.export(program, dynamo=True, opset_version=OPSET, optimize=False, verbose=False)
    assert exported is not None  # torch returns None only where it is told to write a file
    return exported.model_proto


def _plain_module(forward: TorchForward) -> Any:
    import torch

    class Plain(torch.nn.Module):
        """Hides the model's own call signature; Keras' `*args` is one that torch.export cannot match."""

        def __init__(self) -> None:
            super().__init__()
            self.model = forward.model
            self.training = False

        def forward(self, inputs: tuple[Any, ...]) -> Any:
            return forward.outputs(*inputs)

    return Plain()


def _dynamic_shapes(signature: Signature) -> Any:
    import torch

    batch = torch.export.Dim(BATCH)
    return tuple(
        {0: batch, **{axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(spec.shape, 1) if size is None}}
        for spec in signature.inputs
    )
