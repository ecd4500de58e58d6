"""The task, its search space, and the limits: the same for every search."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits
from examples.fashion_mnist.task import FashionMnist

LIMITS = LimitSettings(latency_seconds=0.002, size_bytes=400_000)
EXPORT = ExportSettings()
EPOCHS = 9
_ROWS_VARIABLE = "EVERTUNE_BENCHMARK_ROWS"  # of training; the file is loaded by path in workers


class Clothes(FashionMnist):
    """Perceptrons and convolutional networks, about a third of which are over the limits."""

    name = "clothes"

    def load(self) -> Splits:
        """The shipped excerpt, or its first rows."""
        splits = super().load()
        rows = int(os.environ.get(_ROWS_VARIABLE, len(splits.train)))
        return replace(splits, train=splits.train.take(slice(0, rows)))

    def build(self, hp: Any) -> Any:
        """Compiled, so that every search trains it alike."""
        import keras

        hp.Choice("batch_size", [32, 64, 128, 256], default=64)
        hp.Fixed("augmentation", "none")
        image = keras.Input((28, 28), dtype="uint8", name="image")
        x = keras.layers.Rescaling(1 / 255)(image)
        family = hp.Choice("family", ["mlp", "cnn"])
        with hp.conditional_scope("family", ["mlp"]):
            if family == "mlp":
                x = _perceptron(hp, keras.layers.Flatten()(x))
        with hp.conditional_scope("family", ["cnn"]):
            if family == "cnn":
                x = _convolutions(hp, keras.layers.Reshape((28, 28, 1))(x))
        x = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, default=0.1))(x)
        model = keras.Model(image, keras.layers.Dense(10, activation="softmax")(x))
        model.compile(_optimizer(hp), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


def _perceptron(hp: Any, x: Any) -> Any:
    import keras

    units = hp.Int("units", 32, 1024, sampling="log", default=128)
    for _ in range(hp.Int("layers", 1, 3)):
        x = keras.layers.Dense(units, activation="relu")(x)
    return x


def _convolutions(hp: Any, x: Any) -> Any:
    import keras

    filters = hp.Int("filters", 4, 48, sampling="log", default=16)
    for level in range(hp.Int("levels", 1, 3, default=2)):
        x = keras.layers.Conv2D(filters * 2**level, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
    return keras.layers.Dense(hp.Int("cnn_units", 16, 256, sampling="log", default=64), activation="relu")(
        keras.layers.Flatten()(x)
    )


def _optimizer(hp: Any) -> Any:
    import keras

    rate = hp.Float("learning_rate", 1e-4, 1e-1, sampling="log", default=1e-3)
    name = hp.Choice("optimizer", ["adam", "rmsprop", "sgd"])
    if name == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9)
    return keras.optimizers.Adam(rate) if name == "adam" else keras.optimizers.RMSprop(rate)
