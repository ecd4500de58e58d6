"""Quantization-aware fine-tuning: weights that survive rounding."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from evertune.tensors import Tensors
from export.converters.forward import TorchForward
from export.quantization.fake import Ranges, rounding
from export.quantization.samples import BATCH_ROWS, batches

STEPS = 400
_LEARNING_RATE = 5e-4
_FLOOR = 1e-7  # of a probability


@contextmanager
def fine_tuned(forward: TorchForward, rows: Tensors, calibration: Tensors, *, seed: int) -> Iterator[None]:
    """While this holds, the model has weights whose INT8 version answers as the FP32 version did before.

    A few hundred steps pull the outputs of the rounded model towards the model's own: no label is needed. Batch
    statistics and dropout are as in use. Afterwards the model has its own weights again.

    Args:
        forward: A torch or Keras-on-torch model.
        rows: Training rows.
        calibration: Rows on which ranges of activations are found.
        seed: Of the order of rows.
    """
    import torch

    weights = trainable(forward)
    before = [value.detach().clone() for value in weights]
    try:
        _train(forward, weights, rows, calibration, seed)
        yield
    finally:
        with torch.no_grad():
            for value, kept in zip(weights, before, strict=True):
                value.copy_(kept)
                value.grad = None


def trainable(forward: TorchForward) -> list[Any]:
    """The weights that fine-tuning may change; none where all are frozen."""
    return [value for value in forward.variables() if value.requires_grad and value.is_floating_point()]


def _train(forward: TorchForward, weights: list[Any], rows: Tensors, calibration: Tensors, seed: int) -> None:
    import torch

    optimizer = torch.optim.Adam(weights, lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / STEPS)) / 2)
    drawn = list(_drawn(rows, seed))
    wanted = [_output(forward, batch).detach() for batch in drawn]
    ranges = Ranges()
    with torch.no_grad():
        for batch in batches(calibration):
            with rounding(ranges, observe=True):
                _output(forward, batch)
    for batch, target in zip(drawn, wanted, strict=True):
        with rounding(ranges, observe=False):
            found = _output(forward, batch)
        loss = _distance(found, target, probabilities=forward.signature.outputs[0].name == "probabilities")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _drawn(rows: Tensors, seed: int) -> Iterator[Tensors]:
    """`STEPS` batches, each row once before any comes again."""
    random = np.random.default_rng(seed)
    count = len(next(iter(rows.values())))
    order = np.concatenate([random.permutation(count) for _ in range(math.ceil(STEPS * BATCH_ROWS / count))])
    for start in range(0, STEPS * BATCH_ROWS, BATCH_ROWS):
        yield {name: value[order[start : start + BATCH_ROWS]] for name, value in rows.items()}


def _output(forward: TorchForward, batch: Tensors) -> Any:
    return forward.call(*(forward.tensor(batch[spec.name]) for spec in forward.signature.inputs))


def _distance(found: Any, target: Any, *, probabilities: bool) -> Any:
    """Cross-entropy of probabilities, each class by itself; else squares, in units of the target's spread."""
    if not probabilities:
        return ((found - target) ** 2).mean() / target.var().clamp(min=_FLOOR)
    found = found.clamp(_FLOOR, 1 - _FLOOR)
    return -(target * found.log() + (1 - target) * (1 - found).log()).sum(dim=-1).mean()
