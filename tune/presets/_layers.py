"""What several presets are made of."""

from __future__ import annotations

from typing import Any, TypeVar

from evertune.errors import TaskError
from evertune.task import Task

ACTIVATIONS = ["relu", "gelu", "silu"]  # all three have an ONNX operator or a short graph
_MOMENTUM = 0.9  # of the running mean and variance: searches train for few steps
_OUTPUTS = {"classification": "softmax", "multilabel": "sigmoid"}  # values and scores are as they come

StepT = TypeVar("StepT")


def dense(x: Any, layers: int, units: int, activation: str, normalize: bool) -> Any:
    """Fully connected layers."""
    import keras

    for _ in range(layers):
        x = activate(keras.layers.Dense(units, use_bias=not normalize)(x), activation, normalize, axis=-1)
    return x


def activate(x: Any, activation: str | None, normalize: bool, axis: int) -> Any:
    """The activation, if any, after a normalisation where that is asked for."""
    import keras

    if normalize:  # folded into the layer before it when the graph is optimised: free at serving
        x = keras.layers.BatchNormalization(axis=axis, momentum=_MOMENTUM)(x)
    return x if activation is None else keras.layers.Activation(activation)(x)


def head(x: Any, task: Task) -> Any:
    """The output that the task's kind asks for. A value is learned in units of the error that counts as wrong."""
    import keras

    (units,) = task.signature.outputs[0].shape
    found = keras.layers.Dense(units, activation=_OUTPUTS.get(task.kind))(x)
    return found * float(task.parameters["loss_scale"]) if task.kind == "regression" else found


def answer(scores: Any, task: Task) -> Any:
    """What the task's kind asks for, of one score a label."""
    import keras

    return keras.layers.Activation(_OUTPUTS[task.kind])(scores) if task.kind in _OUTPUTS else scores


def step_of(task: Task, kind: type[StepT], preset: str) -> StepT:
    """The step of the task's preprocessor that a preset needs: it knows the size of the vocabulary.

    Raises:
        TaskError: The task has no preprocessor, or no such step in it.
    """
    preprocessor = task.preprocessor()
    found = None if preprocessor is None else [step for step in preprocessor.steps if isinstance(step, kind)]
    if not found:
        raise TaskError(
            f"presets.{preset} needs a preprocessor with a {kind.__name__} step; task {task.name!r} has none",
            fix=f"Return one from Task.preprocessor, made by {kind.__name__}.fit on training rows (docs/inputs.md).",
        )
    return found[0]
