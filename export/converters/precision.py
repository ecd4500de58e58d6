"""Keras models that compute in 16 bits, as they compute in 32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_HALVES = ("float16", "bfloat16")


@contextmanager
def full_precision(model: Any) -> Iterator[None]:
    """Lets every layer of a mixed-precision model compute in float32, and restores its policy.

    Mixed precision is a way to train: the weights are float32. What 16 bits round in between is larger than what may
    be lost in an export, and differs between the framework and ONNX Runtime. So such a model is exported, and
    compared, in float32; the score of the artifact is measured on the artifact.
    """
    layers = [layer for layer in model._flatten_layers() if layer.compute_dtype in _HALVES]
    policies = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = "float32"
    try:
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy
