"""What a user gets who calls ONNX Runtime's two quantizers with their default settings."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evertune.tensors import Tensors

_BATCH_ROWS = 64


def dynamic_default(model_bytes: bytes, samples: Tensors) -> bytes:
    """`quantize_dynamic(source, target)`; takes no rows."""
    from onnxruntime.quantization import quantize_dynamic

    del samples
    return _through_files(model_bytes, quantize_dynamic)


def static_default(model_bytes: bytes, samples: Tensors) -> bytes:
    """`quantize_static(source, target, rows)`."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Batches(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime ships no types
        """All rows, 64 at a time."""

        def __init__(self) -> None:
            count = len(next(iter(samples.values())))
            self._cuts = iter(np.split(np.arange(count), range(_BATCH_ROWS, count, _BATCH_ROWS)))

        def get_next(self) -> Tensors | None:
            rows = next(self._cuts, None)
            return None if rows is None else {name: value[rows] for name, value in samples.items()}

    return _through_files(model_bytes, lambda source, target: quantize_static(source, target, Batches()))


def _through_files(model_bytes: bytes, quantize: Callable[[Path, Path], Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        source.write_bytes(model_bytes)
        with contextlib.redirect_stdout(io.StringIO()):
            quantize(source, target)
        return target.read_bytes()
