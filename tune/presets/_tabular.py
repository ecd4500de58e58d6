"""Rows of a table: numbers and categories."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from evertune.errors import TaskError
from evertune.preprocessing import Categories, Hashed, Numbers
from evertune.task import Task
from tune.presets._estimators import ESTIMATORS, Step, estimator
from tune.presets._layers import ACTIVATIONS, dense, head
from tune.strategy import trains_only_if

NETWORKS = ("mlp", "residual")
_FARTHEST = 10.0  # standard deviations from the mean: one wild value must not decide a row
_WIDEST = 32  # of an embedding


def tabular(hp: Any, task: Task) -> Any:
    """A network on normalised numbers and embedded categories, or an estimator of scikit-learn.

    The normalisation is part of the graph, with mean and deviation of the training rows, as `Numbers.fit` found them.

    - "mlp": fully connected layers.
    - "residual": blocks of two of them with a way around each.
    - "boosting", "forest", "linear": gradient boosted trees, a random forest, and a linear model. There are none for
      rankings. Their only epoch is their fit; nothing of the training strategy is searched for them.

    Args:
        hp: `keras_tuner.HyperParameters`. Adds `family` and what the chosen one has.
        task: Its inputs come from `Numbers`, `Categories` and `Hashed` steps of its preprocessor.

    Returns:
        An uncompiled Keras model with the output of the task's kind, or an estimator that is not fitted.

    Raises:
        TaskError: The task has no such preprocessor, or inputs that it does not make.
    """
    steps = [_steps(task)[spec.name] for spec in task.inputs]
    competitors = [] if task.kind == "ranking" else list(ESTIMATORS)
    family = hp.Choice("family", [*NETWORKS, *competitors])
    trains_only_if(hp, "family", NETWORKS)
    found = [estimator(hp, name, task, steps, chosen=family == name) for name in competitors]
    network = _network(hp, task, steps, family)
    return network if family in NETWORKS else found[competitors.index(family)]


def _network(hp: Any, task: Task, steps: list[Step], family: str) -> Any:
    import keras

    has_categories = any(isinstance(step, Categories | Hashed) for step in steps)
    with hp.conditional_scope("family", list(NETWORKS)):
        activation = hp.Choice("activation", ACTIVATIONS)
        rate = hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.1)
        ratio = hp.Choice("embedding_ratio", [0.5, 1.0, 2.0], default=1.0) if has_categories else None
    chosen = family in NETWORKS
    inputs = {spec.name: keras.Input(spec.shape, dtype=spec.dtype, name=spec.name) for spec in task.inputs}
    x = _joined(list(inputs.values()), steps, ratio) if chosen else None
    with hp.conditional_scope("family", ["mlp"]):
        layers = hp.Int("layers", 1, 4, default=2)
        units = hp.Int("units", 16, 256, sampling="log", default=64)
        normalize = hp.Boolean("batch_normalization", default=True)
        if family == "mlp":
            x = dense(x, layers, units, activation, normalize)
    with hp.conditional_scope("family", ["residual"]):
        blocks = hp.Int("residual_blocks", 1, 4, default=2)
        width = hp.Int("residual_width", 16, 256, sampling="log", default=64)
        if family == "residual":
            x = _blocks(x, blocks, width, activation, rate)
    if not chosen:
        return None
    x = keras.layers.Dropout(rate)(x)
    given = next(iter(inputs.values())) if len(inputs) == 1 else inputs
    return keras.Model(given, head(x, task), name=task.name)


def _joined(inputs: list[Any], steps: list[Step], ratio: float | None) -> Any:
    import keras

    parts: list[Any] = []
    for values, step in zip(inputs, steps, strict=True):
        parts += [_normalized(values, step)] if isinstance(step, Numbers) else _embedded(values, step, ratio or 1.0)
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)


def _normalized(numbers: Any, step: Numbers) -> Any:
    import keras

    mean, deviation = (np.asarray(values, np.float32) for values in (step.mean, step.deviation))
    return keras.ops.clip((numbers - mean) / deviation, -_FARTHEST, _FARTHEST)


def _embedded(codes: Any, step: Categories | Hashed, ratio: float) -> list[Any]:
    """One vector a column, the wider the more values it has: twice the fourth root of their number, times `ratio`."""
    import keras

    widths = [min(_WIDEST, max(2, round(ratio * 2 * math.sqrt(math.sqrt(size))))) for size in step.sizes]
    return [
        keras.layers.Embedding(size, width)(codes[:, position])
        for position, (size, width) in enumerate(zip(step.sizes, widths, strict=True))
    ]


def _blocks(x: Any, blocks: int, width: int, activation: str, rate: float) -> Any:
    """Normalise, widen, activate, drop out, narrow, add.

    Source: Y. Gorishniy et al., "Revisiting deep learning models for tabular data", NeurIPS 2021.
    """
    import keras

    layers = keras.layers
    x = layers.Dense(width)(x)
    for _ in range(blocks):
        inner = layers.Dense(2 * width, activation=activation)(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Add()([x, layers.Dense(width)(layers.Dropout(rate)(inner))])
    return layers.Activation(activation)(layers.BatchNormalization(momentum=0.9)(x))


def _steps(task: Task) -> dict[str, Step]:
    preprocessor = task.preprocessor()
    steps = () if preprocessor is None else preprocessor.steps
    known = {step.spec.name: step for step in steps if isinstance(step, Step)}
    missing = [spec.name for spec in task.inputs if spec.name not in known]
    if missing:
        raise TaskError(
            f"presets.tabular needs a Numbers, Categories or Hashed step for each input; task {task.name!r} has none "
            f"for {missing}",
            fix="Return them from Task.preprocessor, made by `fit` on training rows (docs/inputs.md).",
        )
    return known
