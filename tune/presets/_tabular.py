"""Rows of a table: numbers and categories."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from evertune.errors import TaskError
from evertune.preprocessing import Categories, Numbers
from evertune.task import Task
from tune.presets._layers import ACTIVATIONS, dense, head

_FARTHEST = 10.0  # standard deviations from the mean: one wild value must not decide a row
_WIDEST = 32  # of an embedding


def tabular(hp: Any, task: Task) -> Any:
    """A multilayer perceptron on normalised numbers and embedded categories.

    The normalisation is part of the graph, with mean and deviation of the training rows, as `Numbers.fit` found them.

    Args:
        hp: `keras_tuner.HyperParameters`. Adds `layers`, `units`, `activation`, `batch_normalization`, `dropout`, and
            `embedding_ratio` where there are categories.
        task: Its inputs come from `Numbers` and `Categories` steps of its preprocessor.

    Returns:
        An uncompiled Keras model with the output of the task's kind.

    Raises:
        TaskError: The task has no such preprocessor, or inputs that it does not make.
    """
    import keras

    steps = _steps(task)
    inputs = {spec.name: keras.Input(spec.shape, dtype=spec.dtype, name=spec.name) for spec in task.inputs}
    parts = []
    for spec in task.inputs:
        step = steps[spec.name]
        if isinstance(step, Numbers):
            parts.append(_normalized(inputs[spec.name], step))
        else:
            parts += _embedded(inputs[spec.name], step, hp.Choice("embedding_ratio", [0.5, 1.0, 2.0], default=1.0))
    x = parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
    normalize = hp.Boolean("batch_normalization", default=True)
    layers = hp.Int("layers", 1, 4, default=2)
    units = hp.Int("units", 16, 256, sampling="log", default=64)
    x = dense(x, layers, units, hp.Choice("activation", ACTIVATIONS), normalize)
    x = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.1))(x)
    given = next(iter(inputs.values())) if len(inputs) == 1 else inputs
    return keras.Model(given, head(x, task), name=task.name)


def _normalized(numbers: Any, step: Numbers) -> Any:
    import keras

    mean, deviation = (np.asarray(values, np.float32) for values in (step.mean, step.deviation))
    return keras.ops.clip((numbers - mean) / deviation, -_FARTHEST, _FARTHEST)


def _embedded(codes: Any, step: Categories, ratio: float) -> list[Any]:
    """One vector a column, the wider the more values it has: twice the fourth root of their number, times `ratio`."""
    import keras

    widths = [min(_WIDEST, max(2, round(ratio * 2 * math.sqrt(math.sqrt(size))))) for size in step.sizes]
    return [
        keras.layers.Embedding(size, width)(codes[:, position])
        for position, (size, width) in enumerate(zip(step.sizes, widths, strict=True))
    ]


def _steps(task: Task) -> dict[str, Numbers | Categories]:
    preprocessor = task.preprocessor()
    steps = () if preprocessor is None else preprocessor.steps
    known = {step.spec.name: step for step in steps if isinstance(step, Numbers | Categories)}
    missing = [spec.name for spec in task.inputs if spec.name not in known]
    if missing:
        raise TaskError(
            f"presets.tabular needs a Numbers or Categories step for each input; task {task.name!r} has none for "
            f"{missing}",
            fix="Return them from Task.preprocessor, made by `fit` on training rows (docs/inputs.md).",
        )
    return known
