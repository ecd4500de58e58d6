"""Which items a user wants: a score for every item."""

from __future__ import annotations

from typing import Any

from evertune.errors import TaskError
from evertune.preprocessing import Categories
from evertune.task import Task
from tune.presets._layers import ACTIVATIONS, dense, head, step_of


def recommendation(hp: Any, task: Task) -> Any:
    """Matrix factorisation, or a tower above the embeddings before the items are scored.

    Every column of ids has an embedding, and these are added; the last layer holds one vector and one bias an item, and
    scores all of them at once. An id that is not known adds nothing, so that the others speak, or the biases alone:
    what is popular. That this works is trained: `id_dropout` leaves out a share of the known ids.

    Args:
        hp: `keras_tuner.HyperParameters`. Adds `family`, `width`, `id_dropout`, `dropout`, and the sizes of the tower.
        task: Its one input comes from a `Categories` step; its labels are the items.

    Returns:
        An uncompiled Keras model with the output of the task's kind, one number an item.

    Raises:
        TaskError: The task's input does not come from such a step.
    """
    import keras

    step = step_of(task, Categories, "recommendation")
    if [spec.name for spec in task.inputs] != [step.output]:
        raise TaskError(
            f"presets.recommendation needs one input of ids; task {task.name!r} has {len(task.inputs)}",
            fix="Put all columns of ids into one Categories step, or build the model yourself in Task.build.",
        )
    family = hp.Choice("family", ["factorization", "tower"])
    width = hp.Int("width", 8, 128, sampling="log", default=32)
    codes = keras.Input((len(step.names),), dtype="int32", name=step.output)
    left_out = hp.Float("id_dropout", 0.0, 0.4, step=0.1, default=0.2)
    vectors = [_vector(codes[:, position], size, width, left_out) for position, size in enumerate(step.sizes)]
    x = vectors[0] if len(vectors) == 1 else keras.layers.Add()(vectors)
    with hp.conditional_scope("family", ["tower"]):
        layers = hp.Int("layers", 1, 2, default=1)
        units = hp.Int("units", 16, 128, sampling="log", default=64)
        activation = hp.Choice("activation", ACTIVATIONS)
        if family == "tower":
            x = dense(x, layers, units, activation, normalize=False)
    x = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.6, step=0.1, default=0.2))(x)
    return keras.Model(codes, head(x, task), name=task.name)


def _vector(codes: Any, size: int, width: int, left_out: float) -> Any:
    """Of the ids of one column: zeros where the id is not known, or is left out while training."""
    import keras

    is_known = keras.ops.expand_dims(keras.ops.cast(keras.ops.not_equal(codes, 0), "float32"), -1)
    found = keras.layers.Embedding(size, width)(codes) * is_known
    return keras.layers.Dropout(left_out, noise_shape=(None, 1))(found)  # one draw a row
