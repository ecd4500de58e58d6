"""Images: a multilayer perceptron or a small convolutional network."""

from __future__ import annotations

from typing import Any

from evertune.errors import TaskError
from evertune.task import Task
from evertune.tensors import TensorSpec
from tune.presets._layers import ACTIVATIONS, activate, dense, head

_MOST_LAYERS = 3  # of convolutions
_SMALLEST = 3  # side of an image into which a convolution fits


def image(hp: Any, task: Task) -> Any:
    """A multilayer perceptron or a small convolutional network; which, and how large, is for `hp` to say.

    Convolutions have stride two in place of pooling: a quarter of the arithmetic, and one operator less in the graph.

    Args:
        hp: `keras_tuner.HyperParameters`. Adds `family`, `activation`, `dropout`, and the sizes of the chosen family.
        task: Has one input of shape (height, width) or (height, width, channels), uint8 or float32. Bytes are scaled
            to [0, 1] inside the model.

    Returns:
        An uncompiled Keras model with the output of the task's kind.

    Raises:
        TaskError: The task's input is not one image.
    """
    import keras

    spec = _only_image(task)
    family = hp.Choice("family", ["cnn", "mlp"])
    activation = hp.Choice("activation", ACTIVATIONS)
    normalize = hp.Boolean("batch_normalization", default=True)
    inputs = keras.Input(spec.shape, dtype=spec.dtype, name=spec.name)
    x = keras.layers.Rescaling(1 / 255 if spec.dtype == "uint8" else 1.0)(inputs)
    with hp.conditional_scope("family", ["mlp"]):
        layers = hp.Int("mlp_layers", 1, 3, default=2)
        units = hp.Int("mlp_units", 32, 256, sampling="log", default=128)
        if family == "mlp":
            x = dense(keras.layers.Flatten()(x), layers, units, activation, normalize)
    with hp.conditional_scope("family", ["cnn"]):
        layers = hp.Int("cnn_layers", 1, _deepest(spec), default=min(2, _deepest(spec)))
        filters = hp.Int("cnn_filters", 8, 32, sampling="log", default=16)
        units = hp.Int("cnn_units", 16, 128, sampling="log", default=64)
        if family == "cnn":
            x = _convolutions(x, spec, layers, filters, activation, normalize)
            x = dense(x, 1, units, activation, normalize)
    x = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.1))(x)
    return keras.Model(inputs, head(x, task), name=task.name)


def _convolutions(x: Any, spec: TensorSpec, layers: int, filters: int, activation: str, normalize: bool) -> Any:
    """Filters double with every halving of the image, so that each layer costs about the same."""
    import keras

    # torch computes channels first: any other layout costs two transpositions a layer, in training and in the graph
    first = keras.config.backend() == "torch"
    height, width, *channels = spec.shape
    if first and channels:
        x = keras.layers.Permute((3, 1, 2))(x)
    elif not channels:
        x = keras.layers.Reshape((1, height, width) if first else (height, width, 1))(x)
    layout, axis = ("channels_first", 1) if first else ("channels_last", -1)
    for layer in range(layers):
        x = keras.layers.Conv2D(filters * 2**layer, 3, strides=2, use_bias=not normalize, data_format=layout)(x)
        x = activate(x, activation, normalize, axis)
    return keras.layers.Flatten(data_format="channels_last")(x)


def _deepest(spec: TensorSpec) -> int:
    """How often a 3x3 convolution of stride two fits before less than 2x2 is left."""
    size, layers = min(size for size in spec.shape[:2] if size is not None), 0
    while (size - 3) // 2 + 1 >= 2 and layers < _MOST_LAYERS:
        size, layers = (size - 3) // 2 + 1, layers + 1
    return max(layers, 1)


def _only_image(task: Task) -> TensorSpec:
    spec = task.inputs[0]
    known = all(size is not None for size in spec.shape) and all((size or 0) >= _SMALLEST for size in spec.shape[:2])
    if len(task.inputs) == 1 and len(spec.shape) in (2, 3) and known and spec.dtype in ("uint8", "float32"):
        return spec
    raise TaskError(
        f"presets.image needs one input of shape (height, width) or (height, width, channels), sides of three or more, "
        f"uint8 or float32; "
        f"task {task.name!r} declares {[each.to_json() for each in task.inputs]}",
        fix="Declare such an input, or build the model yourself in Task.build.",
    )
