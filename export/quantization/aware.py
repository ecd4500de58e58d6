"""Quantization-aware fine-tuning: weights that survive rounding."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from evertune.errors import ExportError
from evertune.tensors import Tensors
from export.quantization.samples import BATCH_ROWS, batches
from export.quantization.student import Student

STEPS = 400


@contextmanager
def fine_tuned(student: Student, rows: Tensors, calibration: Tensors, *, seed: int) -> Iterator[None]:
    """While this holds, the model has weights whose INT8 version answers as the FP32 version did before.

    A few hundred steps pull the outputs of the rounded model towards the model's own: no label is needed. Batch
    statistics and dropout are as in use. Afterwards the model has its own weights again.

    Args:
        student: The model.
        rows: Training rows.
        calibration: Rows on which ranges of activations are found.
        seed: Of the order of rows.

    Raises:
        ExportError: The framework cannot train the model with rounding in it.
    """
    before = student.weights()
    try:
        try:
            _train(student, rows, calibration, seed)
        except Exception as error:  # whatever the gradient of a user's layer raises
            problem = f"the model cannot be fine-tuned for INT8: {type(error).__name__}: {str(error)[:300]}"
            raise ExportError(problem, fix="Nothing: what was found before it ships.") from error
        yield
    finally:
        student.restore(before)


def _train(student: Student, rows: Tensors, calibration: Tensors, seed: int) -> None:
    drawn = list(_drawn(rows, seed))
    wanted = [student.answer(batch) for batch in drawn]
    for batch in batches(calibration):
        student.observe(batch)
    for number, (batch, target) in enumerate(zip(drawn, wanted, strict=True)):
        student.step(batch, target, (1 + math.cos(math.pi * number / STEPS)) / 2)


def _drawn(rows: Tensors, seed: int) -> Iterator[Tensors]:
    """`STEPS` batches, each row once before any comes again."""
    random = np.random.default_rng(seed)
    count = len(next(iter(rows.values())))
    order = np.concatenate([random.permutation(count) for _ in range(math.ceil(STEPS * BATCH_ROWS / count))])
    for start in range(0, STEPS * BATCH_ROWS, BATCH_ROWS):
        yield {name: value[order[start : start + BATCH_ROWS]] for name, value in rows.items()}
