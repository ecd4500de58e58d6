"""What an architecture would cost to serve, before it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Task
from evertune.tensors import Signature, Tensors
from export.choose import over_limits
from export.measure import measure_latency
from export.pipeline import convert
from export.presence import judgeable_limits
from export.quantization import Quantizer
from export.recipes import FP32, QUICK
from export.verify import verify

_ROUNDS = 7
_ROWS = 64


@dataclass(frozen=True)
class Footprint:
    """Latency and size of the precision that would fit.

    Attributes:
        latency_seconds: Median of one batch of `limits.batch_rows`.
        size_bytes: Of the ONNX file.
        recipe: FP32 where that is within the limits, else the INT8 recipe that comes closest.
        over: The limit that even this recipe breaks, in words; None where the architecture may be trained.
    """

    latency_seconds: float
    size_bytes: int
    recipe: str
    over: str | None


def measure_untrained(
    model: Any, task: Task, *, settings: ExportSettings, limits: LimitSettings, seed: int = 0
) -> Footprint:
    """Exports an untrained model and measures it on random rows.

    Args:
        model: What `task.build` returned.
        task: Declares inputs and labels.
        settings: Threads, parity and target. Where the target is not here, latency is no limit.
        limits: INT8 is only tried where FP32 is over them.
        seed: Of the rows.

    Raises:
        ExportError: The model does not convert or does not fit the task.
    """
    limits = judgeable_limits(limits, settings.target)
    rows = _random_rows(task.signature, np.random.default_rng(seed))
    source, session, _ = convert(model, task.signature, rows, settings, kind=task.kind, parameters=task.parameters)
    fp32 = _footprint(FP32, session, source.size_bytes, rows, limits)
    if fp32.over is None:
        return fp32
    smaller = _quantized(source.model_bytes, task.signature, rows, settings, limits)
    return min((fp32, *smaller), key=lambda found: (found.over is not None, found.size_bytes, found.latency_seconds))


def _quantized(
    model_bytes: bytes, signature: Signature, rows: Tensors, settings: ExportSettings, limits: LimitSettings
) -> list[Footprint]:
    found = []
    calibration = Rows(rows, np.zeros(_ROWS, np.int64))
    for recipe in QUICK:
        try:
            content = Quantizer(model_bytes, signature, calibration).quantize(recipe)
            session = verify(content, signature, threads=settings.threads)
        except ExportError:  # this precision is no way out
            continue
        found.append(_footprint(recipe.name, session, len(content), rows, limits))
    return found


def _footprint(recipe: str, session: Session, size_bytes: int, rows: Tensors, limits: LimitSettings) -> Footprint:
    times = measure_latency({recipe: session}, rows, baseline=recipe, rounds=_ROUNDS, batches=(limits.batch_rows,))
    latency = times.seconds[recipe][limits.batch_rows]
    return Footprint(latency, size_bytes, recipe, over_limits(latency, size_bytes, limits))


def _random_rows(signature: Signature, random: np.random.Generator) -> Tensors:
    """Bytes over their range, floats around zero, other integers zero: an index into a table must exist."""
    rows: Tensors = {}
    for spec in signature.inputs:
        shape = (_ROWS, *(8 if size is None else size for size in spec.shape))
        dtype = np.dtype(spec.dtype)
        if dtype.kind == "f":
            rows[spec.name] = random.standard_normal(shape).astype(dtype)
        else:
            rows[spec.name] = random.integers(0, 256, shape, dtype) if dtype == np.uint8 else np.zeros(shape, dtype)
    return rows
