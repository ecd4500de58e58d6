"""Whether a target is on this machine."""

from __future__ import annotations

import contextlib
import functools
import io
import math

from evertune.errors import BundleError
from evertune.runtime import Session
from evertune.runtime.session import CPU
from evertune.settings import LimitSettings
from export.smallest import SIGNATURE, smallest_model

PROVIDERS: dict[str, tuple[str, ...]] = {
    "cpu": CPU,
    "cuda": ("CUDAExecutionProvider", *CPU),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", *CPU),
}
"""ONNX Runtime's execution providers by target, best first."""


@functools.cache
def is_here(target: str) -> bool:
    """Whether a model really runs on the target on this machine.

    ONNX Runtime's list of available providers says what it was built with, not what the machine has, and a session
    falls back to the CPU without an error: so a graph of one operator is loaded, and asked where it runs.
    """
    import onnxruntime

    providers = PROVIDERS[target]
    if providers[0] not in onnxruntime.get_available_providers():
        return False
    onnxruntime.set_default_logger_severity(4)  # that a library is missing is an answer here, not an error
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where it prints that TensorRT is missing
            return Session(smallest_model(), SIGNATURE, providers=providers).provider == providers[0]
    except BundleError:
        return False
    finally:
        onnxruntime.set_default_logger_severity(2)


def judgeable_limits(limits: LimitSettings, target: str) -> LimitSettings:
    """Without those of latency and memory where the target is not here: a CPU's figure says nothing about a GPU."""
    return limits if is_here(target) else limits.model_copy(update={"latency_seconds": math.inf, "memory_bytes": 0})
