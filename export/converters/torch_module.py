"""Plain `torch.nn.Module`s, by torch's own ONNX exporter."""

from __future__ import annotations

from typing import Any

from evertune.errors import ExportError
from evertune.tensors import Signature
from export.converters.answers import answers
from export.converters.blame import module_words
from export.converters.forward import TorchForward
from export.converters.source import Predict, Source
from export.converters.tracer import Tracer
from export.graph import MOST_WEIGHTS_BYTES


class TorchModuleConverter:
    """See `Converter`; graphs are kept as `Tracer` says.

    A module takes its inputs as positional tensors and returns the declared output; where its attribute
    `returns_logits` is true, softmax (sigmoid for several labels) is added in the graph.
    """

    name = "torch.nn.Module"

    def __init__(self) -> None:
        self._tracer = Tracer()

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a `torch.nn.Module`, and no Keras model, which is one too on the torch backend."""
        names = {f"{base.__module__}.{base.__name__}" for base in type(model).__mro__}
        return "torch.nn.modules.module.Module" in names and not any(name.startswith("keras.") for name in names)

    def forward(self, model: Any, signature: Signature, kind: str) -> Predict:
        """See `Converter.forward`."""
        return _Forward(model.eval(), signature, kind)

    def architecture(self, model: Any, signature: Signature, kind: str) -> str | None:
        """See `Converter.architecture`."""
        return self._tracer.architecture(_Forward(model.eval(), signature, kind))

    def operations(self, model: Any, signature: Signature, kind: str) -> str | None:
        """See `Sketcher.operations`."""
        return self._tracer.operations(_Forward(model.eval(), signature, kind))

    def sketch(self, model: Any, signature: Signature, kind: str) -> bytes | None:
        """See `Sketcher.sketch`."""
        return self._tracer.sketch(_Forward(model.eval(), signature, kind))

    def convert(
        self,
        model: Any,
        signature: Signature,
        *,
        kind: str = "classification",
        reuse: bool = True,
        most_bytes: int = MOST_WEIGHTS_BYTES,
    ) -> Source:
        """See `Converter.convert`. The module is put into evaluation mode."""
        _refuse_halves(model)
        model.eval()  # else dropout and batch normalisation would be exported as in training
        return self._tracer.source(_Forward(model, signature, kind), reuse=reuse, most_bytes=most_bytes)


def _refuse_halves(model: Any) -> None:
    """ONNX Runtime's CPU kernels compute in float32; a module cannot be told to, as Keras can."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if str(tensor.dtype) in ("torch.float16", "torch.bfloat16"):
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise ExportError(
                f"the model does not export to ONNX: {name!r} is {dtype}, which ONNX Runtime does not compute with on "
                "a CPU",
                fix="Train with torch.autocast around float32 weights, or call module.float() before the export.",
                layer=name.rpartition(".")[0] or None,
                dtype=dtype,
            )


class _Forward(TorchForward):
    """The module, with the activation that its logits lack."""

    def __init__(self, model: Any, signature: Signature, kind: str) -> None:
        super().__init__(model, signature, module_words(model))
        self._logits = getattr(model, "returns_logits", False)
        self._kind = kind

    def call(self, *tensors: Any) -> Any:
        found = self.model(*tensors)
        if not self._logits or self._kind not in ("classification", "multilabel"):
            return found
        first, *others = answers(found, self.signature)
        return first.softmax(-1) if self._kind == "classification" else first.sigmoid(), *others

    def variables(self) -> list[Any]:
        return [*self.model.parameters(), *self.model.buffers()]
