"""A small convolutional network for Fashion-MNIST rows: every trial costs about the same."""

from __future__ import annotations

from typing import Any

import keras

from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples.fashion_mnist.data import training_rows
from examples.fashion_mnist.task import FashionMnist


class Even(Task):
    """What is searched is how to train it: optimizer, schedule, rates, smoothing, dropout."""

    name = "even"
    labels = FashionMnist.labels
    inputs = (TensorSpec("image", "uint8", (28, 28)),)

    def load(self) -> Splits:
        """Shipped rows."""
        rows = training_rows()
        edges = [(0, 6_000), (6_000, 7_000), (7_000, 7_500), (7_500, 8_000)]
        return Splits(*[rows.take(slice(*each)) for each in edges])

    def build(self, hp: Any) -> Any:
        """Not compiled, so that the strategy is searched."""
        hp.Choice("batch_size", [64])
        hp.Choice("augmentation", ["none"])
        image = keras.Input((28, 28), dtype="uint8", name="image")
        x = keras.layers.Reshape((28, 28, 1))(keras.layers.Rescaling(1 / 255)(image))
        x = keras.layers.MaxPooling2D()(keras.layers.Conv2D(16, 3, activation="relu")(x))
        x = keras.layers.MaxPooling2D()(keras.layers.Conv2D(32, 3, activation="relu")(x))
        x = keras.layers.Dense(64, activation="relu")(keras.layers.Flatten()(x))
        x = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5))(x)
        return keras.Model(image, keras.layers.Dense(10, activation="softmax")(x))
