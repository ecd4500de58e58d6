"""Texts: bag of embeddings, convolution, recurrence, or attention."""

from __future__ import annotations

from typing import Any

from evertune.errors import TaskError
from evertune.preprocessing import Text
from evertune.task import Task
from tune.presets._gru import gru
from tune.presets._layers import ACTIVATIONS, dense, head, step_of

FAMILIES = ("bag", "cnn", "gru", "transformer")
_HEADS = 4  # of the attention; widths are multiples of it


def text(hp: Any, task: Task) -> Any:
    """A network for texts; which, and how large, is for `hp` to say.

    - "bag": the mean of the tokens' embeddings.
    - "cnn": a convolution over them, and the largest answer of each filter.
    - "gru": a recurrent layer over them, one operator of the graph, and its largest answers.
    - "transformer": one or two encoder blocks, and the mean of what they give.

    Args:
        hp: `keras_tuner.HyperParameters`. Adds `family`, `embedding_width`, `dropout`, and the sizes of the family.
        task: Its one input comes from a `Text` step of its preprocessor.

    Returns:
        An uncompiled Keras model with the output of the task's kind.

    Raises:
        TaskError: The task's input is not one text.
    """
    import keras

    step = step_of(task, Text, "text")
    if len(task.inputs) != 1:
        raise TaskError(
            f"presets.text needs one input; task {task.name!r} has {len(task.inputs)}",
            fix="Build the model yourself in Task.build.",
        )
    family = hp.Choice("family", list(FAMILIES))
    width = _HEADS * hp.Int("embedding_width", 4, 32, sampling="log", default=16)
    tokens = keras.Input((step.length,), dtype="int32", name=step.output)
    is_text = keras.ops.expand_dims(keras.ops.cast(keras.ops.not_equal(tokens, step.padding_id), "float32"), -1)
    x = keras.layers.Embedding(step.size, width)(tokens) * is_text
    x = keras.layers.SpatialDropout1D(hp.Float("embedding_dropout", 0.0, 0.4, step=0.1, default=0.2))(x)
    with hp.conditional_scope("family", ["cnn"]):
        filters = hp.Int("filters", 16, 128, sampling="log", default=64)
        kernel = hp.Choice("kernel", [3, 4, 5])
        if family == "cnn":
            found = keras.layers.Conv1D(filters, kernel, padding="same", activation="relu")(x)
            x = keras.ops.max(found * is_text, axis=1)  # of values that are never negative: padding cannot win
    with hp.conditional_scope("family", ["gru"]):
        recurrent = hp.Int("gru_units", 16, 128, sampling="log", default=32)
        if family == "gru":
            x = keras.ops.max((gru(recurrent)(x) + 1.0) * is_text, axis=1)  # of values above -1: likewise
    with hp.conditional_scope("family", ["transformer"]):
        blocks = hp.Int("transformer_blocks", 1, 2, default=1)
        hidden = hp.Int("transformer_units", 32, 256, sampling="log", default=64)
        if family == "transformer":
            x = _mean(_encoded(x, is_text, width, blocks, hidden), is_text)
    if family == "bag":
        x = _mean(x, is_text)
    layers = hp.Int("layers", 0, 2, default=1)
    units = hp.Int("units", 16, 128, sampling="log", default=32)
    x = dense(x, layers, units, hp.Choice("activation", ACTIVATIONS), normalize=False)
    x = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.2))(x)
    return keras.Model(tokens, head(x, task), name=task.name)


def _mean(x: Any, is_text: Any) -> Any:
    """Over the tokens of the text; zeros for a text without any."""
    import keras

    count = keras.ops.maximum(keras.ops.sum(is_text, axis=1), 1.0)
    return keras.ops.sum(x * is_text, axis=1) / count


def _encoded(x: Any, is_text: Any, width: int, blocks: int, hidden: int) -> Any:
    """Encoder blocks. The convolution before them tells neighbours from strangers, as a position code would."""
    import keras

    layers = keras.layers
    x = x + layers.Conv1D(width, 3, padding="same", activation="gelu")(x)
    mask = keras.ops.greater(keras.ops.transpose(is_text, (0, 2, 1)), 0.5)
    for _ in range(blocks):
        normalized = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(_HEADS, width // _HEADS)(normalized, normalized, attention_mask=mask)
        x = x + layers.Dense(width)(layers.Dense(hidden, activation="gelu")(layers.LayerNormalization()(x)))
    return x
