"""From a torch model to a graph, by torch's own ONNX exporter; graphs are kept."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

from evertune.tensors import Signature
from export.architectures import known_architectures
from export.converters.blame import explain
from export.converters.failed import RouteError
from export.converters.fingerprint import fingerprint, operations
from export.converters.forward import TorchForward
from export.converters.sketch import sketch
from export.converters.source import Source
from export.converters.template import Template, keep_template, load_template, variable_places
from export.graph import BATCH, MOST_WEIGHTS_BYTES
from export.silence import known_noise

OPSET = 20  # the first with Gelu as one operator; ONNX Runtime >= 1.31 knows it
_KEPT_TEMPLATES = 16  # a worker searches few architectures at a time; a template without weights is some kB


class Tracer:
    """Exports models, keeping the graphs it has made.

    Exporting takes seconds and gives the same graph for every set of weights, so a model that was exported before (a
    trial exports before and after training), and a new model that computes the same as one that was, only get their
    weights put into the kept graph. Inside `architectures_in`, graphs outlive the process. Whether that was right is
    proved by the parity check that every export passes; where it fails, the caller asks again with `reuse=False`.
    """

    def __init__(self) -> None:
        self._by_model: WeakKeyDictionary[Any, tuple[Signature, Template]] = WeakKeyDictionary()
        self._by_key: OrderedDict[str, Template] = OrderedDict()
        self._lock = threading.Lock()

    def source(self, forward: TorchForward, *, reuse: bool, most_bytes: int = MOST_WEIGHTS_BYTES) -> Source:
        """The model as ONNX; the arguments are those of `Converter.convert`.

        Raises:
            ExportError: See `Converter.convert`.
        """
        forward.check()
        model, signature = forward.model, forward.signature
        with self._lock:  # torch's exporter keeps state of its own in globals
            template, reused = self._kept(forward) if reuse else None, True
            if template is None:
                template, reused = self._made(forward, reuse)
                if template.settled:
                    self._by_model[model] = signature, template
            files = template.fill(forward.variables(), signature, most_bytes=most_bytes)
            return Source(files.model_bytes, forward, reused=reused, external_data=files.external_data)

    def architecture(self, forward: TorchForward) -> str | None:
        """The key by which graphs are kept; None for a model that cannot be called."""
        try:
            forward.check()
            with self._lock:
                return fingerprint(forward)
        except Exception:  # whatever a user's layer raises; the export that follows explains it
            return None

    def operations(self, forward: TorchForward) -> str | None:
        """The key by which models of the same operations are known; None for a model that cannot be called."""
        try:
            with self._lock:
                return operations(forward)
        except Exception:  # as in `architecture`
            return None

    def sketch(self, forward: TorchForward) -> bytes | None:
        """See `Sketcher.sketch`."""
        with self._lock:
            return sketch(forward)

    def _kept(self, forward: TorchForward) -> Template | None:
        made_for, template = self._by_model.get(forward.model, (None, None))
        fits = template is not None and made_for == forward.signature and template.fits(forward.variables())
        return template if fits else None

    def _made(self, forward: TorchForward, reuse: bool) -> tuple[Template, bool]:
        """The graph of another model that computes the same, or a new one."""
        key, shelf = repr(forward.signature) + fingerprint(forward), known_architectures()
        known = (self._by_key.get(key) or (load_template(shelf, key) if shelf else None)) if reuse else None
        template = self._by_key[key] = known or _traced(forward)
        self._by_key.move_to_end(key)
        if len(self._by_key) > _KEPT_TEMPLATES:
            self._by_key.popitem(last=False)
        if shelf and known is None:
            keep_template(shelf, key, template)
        return template, known is not None


def _traced(forward: TorchForward) -> Template:
    with known_noise():
        try:
            program = _program(forward)
            variables = forward.variables()
            return Template.of(_translate(program), variable_places(program, variables), variables)
        except Exception as error:  # torch raises a dozen unrelated types here
            raise RouteError.of(explain(error, forward.on_example, "does not export to ONNX", forward.words)) from error


def _program(forward: TorchForward) -> Any:
    import torch

    with forward.tracing():
        return torch.export.export(
            forward.module(),
            (forward.example(),),
            dynamic_shapes=(_dynamic_shapes(forward.signature),),
            strict=False,
        )


def _translate(program: Any) -> Any:
    import torch

    _remember_operators()
    exported = torch.onnx.export(program, dynamo=True, opset_version=OPSET, optimize=False, verbose=False)
    assert exported is not None  # torch returns None only where it is told to write a file
    return exported.model_proto


def _remember_operators() -> None:
    """Torch asks onnxscript for its list of operators at each export, and each time 500 functions are parsed anew.

    The list is the same every time, and torch only reads it: a fifth of a second, a third of a small model's export.
    """
    from torch.onnx._internal.exporter import _registration

    apis = getattr(_registration, "onnxscript_apis", None)
    listed = getattr(apis, "get_torchlib_ops", None)
    if listed is not None and not hasattr(listed, "cache_info"):  # another version of torch may do it otherwise
        apis.get_torchlib_ops = functools.cache(listed)  # type: ignore[union-attr]  # it is there


def _dynamic_shapes(signature: Signature) -> Any:
    import torch

    batch = torch.export.Dim(BATCH)
    return tuple(
        {0: batch, **{axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(spec.shape, 1) if size is None}}
        for spec in signature.inputs
    )
