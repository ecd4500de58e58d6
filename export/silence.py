"""Known noise of the exporters, silenced by name and reason; everything else is heard."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = (
    # "torchvision is not installed. Skipping torchvision::nms": four lines a model, about operators nobody asked for.
    "torch.onnx._internal.exporter._registration",
    # "Setting ONNX exporter to use operator set version 18", although the version is given.
    "torch.onnx._internal.exporter._compat",
)
# Of ONNX Runtime's quantizer, to the root logger: what it leaves in FP32, as it should.
_MESSAGES = (
    "failed to infer the type of tensor",  # "v17. Skip to quantize it.": of operators of `ai.onnx.ml`
    "Inference failed or unsupported type to quantize",  # of integers
    "Axis 1 is out-of-range for weight",  # of biases, which get one scale
)
_WARNINGS = (
    # copyreg copies torch's own pytree leaves through a class that torch itself deprecates.
    (FutureWarning, r"`isinstance\(treespec, LeafSpec\)` is deprecated"),
    # Keras saves the weights of the torch backend by an interface that numpy 2 deprecates.
    (DeprecationWarning, r"__array__ implementation doesn't accept a copy keyword"),
    # torch.jit is deprecated as a whole and imported by torch.onnx.
    (DeprecationWarning, r"`torch\.jit\."),
)


@contextmanager
def known_noise() -> Iterator[None]:
    """Silences what torch and ONNX Runtime say about themselves while they export; errors still raise."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for category, message in _WARNINGS:
            warnings.filterwarnings("ignore", message, category)
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            logging.root.addFilter(_is_news)
            yield
        finally:
            logging.root.removeFilter(_is_news)
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_MESSAGES)
