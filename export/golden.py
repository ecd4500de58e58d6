"""The rows that prove a load, and how much another machine may differ on them."""

from __future__ import annotations

import numpy as np

from evertune.bundle import Golden
from evertune.rows import Rows
from evertune.runtime import Session
from export.quantization import strided
from export.recipes import FP16, FP32, STORED

_ROWS = 8
_FLOAT32 = 1e-3  # another processor sums in another order
_INTEGER = 0.05  # one step of a quantized activation may round the other way (AVX2 against VNNI)
# One step of FP16 is at most 2^-10 of a value, one of INT8 2^-8 of the range that it lies in.
_FLOAT16 = _INTEGER / 4


def golden_rows(session: Session, rows: Rows, recipe: str) -> Golden:
    """A few rows, evenly spaced, with what `session` answers, and the tolerance of its recipe.

    Args:
        session: Of the file that is sealed.
        rows: Real ones.
        recipe: Name of the file's.
    """
    inputs = rows.take(strided(len(rows), _ROWS)).inputs
    outputs = session.run(inputs)
    scale = max(1.0, *(float(np.abs(value).max()) for value in outputs.values()))  # values may be large
    return Golden(inputs, outputs, scale * tolerance_of(recipe))


def tolerance_of(recipe: str) -> float:
    """By how much answers may differ between machines, where the largest output is 1.

    FP32's holds for weights stored in INT8, too: they are multiplied out before anything is computed, each with one
    exact rounding, and what computes then is FP32. Every other integer recipe, `int4` too, rounds activations.

    Example:
        >>> tolerance_of("int8-weights") == tolerance_of("fp32") < tolerance_of("fp16") < tolerance_of("int4")
        True
    """
    if recipe in (FP32, STORED):
        return _FLOAT32
    return _FLOAT16 if recipe == FP16 else _INTEGER
