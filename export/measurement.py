"""What a bundle costs on the machine that serves it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from evertune.bundle import Bundle
from evertune.errors import BundleError, ExportError
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.tensors import Signature, Tensors
from export.hardware import hardware, versions
from export.measure import Latencies, latency_batches, measure_latency
from export.presence import PROVIDERS, is_here
from export.quantization import Quantizer
from export.recipes import FP16, FP32, recipe_named

_LOADS = 6  # as many as an interval takes


def measure_bundle(
    bundle: Bundle, target: str, *, threads: int = 1, rounds: int = 30, batch_rows: int = 1
) -> dict[str, Any]:
    """Proves a bundle on a target's execution provider and times it there, on a GPU with FP16 beside FP32.

    Args:
        bundle: Any.
        target: "cpu", "cuda" or "tensorrt".
        threads: Of ONNX Runtime.
        rounds: Of timing; all models in each. They are spread over six loads of each model.
        batch_rows: Timed beside batches of 1, 8 and 64 rows: the one whose latency decides.

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
    recipe, providers, golden = bundle.manifest.recipe, PROVIDERS[target], bundle.golden
    sizes = {recipe: bundle.size_bytes}
    sessions = {recipe: bundle.verified_session(threads=threads, providers=providers)}
    half = None
    if target != "cpu" and recipe == FP32:
        half = half_of(bundle.model_bytes(), bundle.manifest.signature, golden.inputs, threads, providers)
    if half is not None:
        sizes[FP16], sessions[FP16] = len(half[0]), half[1]

    def load(name: str) -> Session:
        if half is not None and name == FP16:
            return Session(half[0], bundle.manifest.signature, threads=threads, providers=providers)
        return bundle.session(threads=threads, providers=providers)

    times = measure_latency(
        sessions,
        golden.inputs,
        baseline=recipe,
        rounds=rounds,
        batches=latency_batches(batch_rows),
        load=load,
        loads=_LOADS,
    )
    return {
        "target": target,
        "provider": sessions[recipe].provider,
        "recipes": {
            name: {
                "size_bytes": sizes[name],
                **_latency(times, name),
                "golden_difference": _difference(session.run(golden.inputs), golden.outputs),
            }
            for name, session in sessions.items()
        },
        "batch_rows": batch_rows,
        "rounds": times.rounds,
        "threads": threads,
        "hardware": hardware(),
        "versions": versions(),
        "measured_at": time.time(),
    }


def half_of(
    model_bytes: bytes, signature: Signature, inputs: Tensors, threads: int, providers: tuple[str, ...]
) -> tuple[bytes, Session] | None:
    """FP16, loaded; None where FP32 stands alone: trees have no FP16, values overflow, or it does not load."""
    rows = Rows(inputs, np.zeros(len(next(iter(inputs.values()))), np.int64))  # labels are not looked at
    try:
        half = Quantizer(model_bytes, signature, rows).quantize(recipe_named(FP16))
        return half, Session(half, signature, threads=threads, providers=providers)
    except (ExportError, BundleError):
        return None


def _latency(times: Latencies, name: str) -> dict[str, Any]:
    return {
        "latency_seconds": {str(size): value for size, value in times.seconds[name].items()},
        "latency_ratio": {str(size): value for size, value in times.ratio[name].items()},
        "latency_interval": {str(size): value.to_json() for size, value in times.interval[name].items()},
    }


def _difference(found: Tensors, expected: Tensors) -> float | None:
    """The largest; None where the outputs are not finite, as FP16's may be."""
    largest = max(float(np.abs(found[name].astype(np.float64) - value).max()) for name, value in expected.items())
    return largest if np.isfinite(largest) else None
