"""What a bundle costs on the machine that serves it."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import numpy as np

from evertune.bundle import Bundle
from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.tensors import Tensors
from export.hardware import hardware, versions
from export.measure import measure_latency
from export.presence import PROVIDERS, is_here
from export.quantization import Quantizer
from export.recipes import FP16, FP32, recipe_named


def measure_bundle(bundle: Bundle, target: str, *, threads: int = 1, rounds: int = 25) -> dict[str, Any]:
    """Proves a bundle on a target's execution provider and times it there, on a GPU with FP16 beside FP32.

    Args:
        bundle: Any.
        target: "cpu", "cuda" or "tensorrt".
        threads: Of ONNX Runtime.
        rounds: Of timing; all models in each.

    Returns:
        A record for `BundleStore.add_measurement`.

    Raises:
        ExportError: This machine does not have the target.
        BundleError: The bundle does not load there, or does not give its golden outputs.
    """
    if not is_here(target):
        raise ExportError(
            f"ONNX Runtime runs nothing on {target} here",
            fix="Run this on the machine that will serve; `evertune doctor` says what its GPU lacks.",
            target=target,
        )
    recipe, signature = bundle.manifest.recipe, bundle.manifest.signature
    sizes = {recipe: bundle.size_bytes}
    sessions = {recipe: bundle.verified_session(threads=threads, providers=PROVIDERS[target])}
    if target != "cpu" and recipe == FP32:
        with contextlib.suppress(ExportError):  # trees have no FP16, and values may overflow: then FP32 stands alone
            half = _half(bundle)
            sizes[FP16] = len(half)
            sessions[FP16] = Session(half, signature, threads=threads, providers=PROVIDERS[target])
    times = measure_latency(sessions, bundle.golden.inputs, baseline=recipe, rounds=rounds)
    return {
        "target": target,
        "provider": sessions[recipe].provider,
        "recipes": {
            name: {
                "size_bytes": sizes[name],
                "latency_seconds": {str(size): value for size, value in times.seconds[name].items()},
                "latency_ratio": {str(size): value for size, value in times.ratio[name].items()},
                "golden_difference": _difference(session.run(bundle.golden.inputs), bundle.golden.outputs),
            }
            for name, session in sessions.items()
        },
        "rounds": rounds,
        "threads": threads,
        "hardware": hardware(),
        "versions": versions(),
        "measured_at": time.time(),
    }


def _half(bundle: Bundle) -> bytes:
    golden = bundle.golden.inputs
    rows = Rows(golden, np.zeros(len(next(iter(golden.values()))), np.int64))  # labels are not looked at
    return Quantizer(bundle.model_bytes(), bundle.manifest.signature, rows).quantize(recipe_named(FP16))


def _difference(found: Tensors, expected: Tensors) -> float | None:
    """The largest; None where the outputs are not finite, as FP16's may be."""
    largest = max(float(np.abs(found[name].astype(np.float64) - value).max()) for name, value in expected.items())
    return largest if np.isfinite(largest) else None
