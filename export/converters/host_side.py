"""Layers of Keras whose work belongs before the model."""

from __future__ import annotations

from typing import Any

from evertune.errors import ExportError

_LAYERS = ("StringLookup", "IntegerLookup", "Hashing", "HashedCrossing", "TextVectorization")


def refuse_host_side(model: Any) -> None:
    """Texts, hashes and tables of ids have no operators in ONNX that every runtime has.

    Raises:
        ExportError: The model holds such a layer.
    """
    for layer in model._flatten_layers(include_self=False):
        kind = type(layer).__name__
        if kind in _LAYERS and type(layer).__module__.startswith("keras."):
            raise ExportError(
                f"the model does not export to ONNX: layer {layer.name!r} is a {kind}, which has no operators in ONNX",
                fix="Look texts and ids up, or hash them, before the model, in Task.preprocessor: docs/inputs.md.",
                layer=layer.name,
                operator=kind,
            )
