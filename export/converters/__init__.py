"""From a framework's model to ONNX, one converter a framework."""

from __future__ import annotations

from typing import Any

from evertune.errors import ExportError
from export.converters.converter import Converter
from export.converters.keras_tensorflow import KerasTensorflowConverter
from export.converters.keras_torch import KerasTorchConverter
from export.converters.sklearn_estimator import SklearnConverter
from export.converters.source import Source
from export.converters.torch_module import TorchModuleConverter

CONVERTERS: tuple[Converter, ...] = (
    KerasTorchConverter(),
    KerasTensorflowConverter(),
    TorchModuleConverter(),
    SklearnConverter(),
)


def converter_for(model: Any, converters: tuple[Converter, ...] = CONVERTERS) -> Converter:
    """The first converter that accepts `model`.

    Raises:
        ExportError: None does; names the type and the frameworks known.
    """
    for converter in converters:
        if converter.accepts(model):
            return converter
    known = ", ".join(converter.name for converter in converters)
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    raise ExportError(
        f"no converter for a model of type {kind}", fix=f"Let Task.build return one of: {known}.", type=kind
    )


__all__ = ["CONVERTERS", "Converter", "Source", "converter_for"]
