"""Plain `torch.nn.Module`s, by torch's own ONNX exporter."""

from __future__ import annotations

from typing import Any

from evertune.tensors import Signature
from export.converters.blame import module_words
from export.converters.forward import TorchForward
from export.converters.source import Source
from export.converters.tracer import Tracer


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

    def convert(self, model: Any, signature: Signature, *, kind: str = "classification", reuse: bool = True) -> Source:
        """See `Converter.convert`. The module is put into evaluation mode."""
        model.eval()  # else dropout and batch normalisation would be exported as in training
        return self._tracer.source(_Forward(model, signature, kind), reuse=reuse)


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
        return found.softmax(-1) if self._kind == "classification" else found.sigmoid()

    def variables(self) -> list[Any]:
        return [*self.model.parameters(), *self.model.buffers()]
