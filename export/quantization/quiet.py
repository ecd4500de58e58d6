"""What ONNX Runtime's tools say and change that is nobody's business."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_TALKER = "onnxruntime.quantization.matmul_nbits_quantizer"  # a line for every node, once the root logger listens


@contextmanager
def quiet_runtime() -> Iterator[None]:
    """Silences the runtime and its calibrators, and undoes what importing them does to the root logger.

    The calibrators load graphs with values that nothing uses any more, and ONNX Runtime warns of each. Those that make
    histograms print. The module for 4-bit matrices configures the root logger of whoever imports it.
    """
    import onnxruntime

    root, talker = logging.root, logging.getLogger(_TALKER)
    handlers, levels = list(root.handlers), (root.level, talker.level)
    talker.setLevel(logging.WARNING)
    onnxruntime.set_default_logger_severity(3)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # its default; it cannot be asked for
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        talker.setLevel(levels[1])
