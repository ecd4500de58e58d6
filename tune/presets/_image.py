"""Images: a multilayer perceptron, or one of three convolutional networks."""

from __future__ import annotations

from typing import Any

from evertune.errors import TaskError
from evertune.task import Task
from evertune.tensors import TensorSpec
from tune.presets._convolution import Convolutions
from tune.presets._layers import ACTIVATIONS, dense, head

FAMILIES = ("cnn", "mlp", "separable", "residual")
_MOST_LAYERS = 3  # of convolutions
_SMALLEST = 3  # side of an image into which a convolution fits
_LARGE = 24  # side from which on the first convolution may halve the image


def image(hp: Any, task: Task) -> Any:
    """A network for images; which, and how large, is for `hp` to say.

    - "cnn": convolutions of stride two in place of pooling: a quarter of the arithmetic, and one operator less.
    - "mlp": fully connected layers.
    - "separable": depthwise and pointwise convolutions in turn, as in MobileNet: few weights and little arithmetic.
    - "residual": pairs of convolutions with a way around them, as in ResNet: deeper, slower, more accurate.

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
    family = hp.Choice("family", list(FAMILIES))
    activation = hp.Choice("activation", ACTIVATIONS)
    normalize = hp.Boolean("batch_normalization", default=True)
    inputs = keras.Input(spec.shape, dtype=spec.dtype, name=spec.name)
    x = keras.layers.Rescaling(1 / 255 if spec.dtype == "uint8" else 1.0)(inputs)
    made = Convolutions(spec, activation, normalize)
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
            x = dense(made.strided(x, layers, filters), 1, units, activation, normalize)
    for name, network in (("separable", made.separable), ("residual", made.residual)):
        with hp.conditional_scope("family", [name]):
            halved = hp.Choice(f"{name}_first_stride", [2, 1] if _side(spec) >= _LARGE else [1])
            stages = hp.Int(f"{name}_stages", 1, 3, default=2)
            filters = hp.Int(f"{name}_filters", 8, 48, sampling="log", default=16)
            if family == name:
                x = network(x, stages, filters, halved)
    x = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.1))(x)
    return keras.Model(inputs, head(x, task), name=task.name)


def _deepest(spec: TensorSpec) -> int:
    """How often a 3x3 convolution of stride two fits before less than 2x2 is left."""
    size, layers = _side(spec), 0
    while (size - 3) // 2 + 1 >= 2 and layers < _MOST_LAYERS:
        size, layers = (size - 3) // 2 + 1, layers + 1
    return max(layers, 1)


def _side(spec: TensorSpec) -> int:
    return min(size for size in spec.shape[:2] if size is not None)


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
