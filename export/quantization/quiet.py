"""What ONNX Runtime's tools say and leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_runtime() -> Iterator[None]:
    """The calibrator loads graphs with values that nothing uses any more, and ONNX Runtime warns of each."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # its default; it cannot be asked for
