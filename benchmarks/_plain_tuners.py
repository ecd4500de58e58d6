"""What a user of KerasTuner writes for the same four tasks: one HyperModel each, Bayesian search, early stopping."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from evertune.preprocessing import Categories, Numbers, Text
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import Array

MAX_EPOCHS = 10
_PATIENCE_EPOCHS = 3
_BATCH, _LARGE_BATCH, _LARGE_ROWS = 32, 128, 20_000
_MANY = 1_000  # trials: the time ends first


class TimeIsUpError(BaseException):
    """Not an `Exception`: KerasTuner would count that as a failed trial and go on."""


def search_plainly(task: Task, splits: Splits, folder: str, seed: int, is_time_up: Callable[[], bool]) -> Any:
    """A plain search until the time is up; the best model so far, with its best weights, and how many trials ended."""
    import keras
    import keras_tuner

    class UntilTimeIsUp(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
        """Ends the search between two batches."""

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if is_time_up():
                raise TimeIsUpError

    ranks = task.kind == "ranking"
    tuner = keras_tuner.BayesianOptimization(
        lambda hp: _HYPERMODELS[task.name](hp, task),
        objective=keras_tuner.Objective("val_top_10", "max") if ranks else "val_accuracy",
        max_trials=_MANY,
        seed=seed,
        directory=folder,
        project_name=task.name,
    )
    (x, y), validation = _learned(splits.train), _learned(splits.validation)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=_PATIENCE_EPOCHS)
    with contextlib.suppress(TimeIsUpError):
        tuner.search(
            x,
            y,
            validation_data=validation,
            batch_size=_LARGE_BATCH if len(y) >= _LARGE_ROWS else _BATCH,
            epochs=MAX_EPOCHS,
            callbacks=[UntilTimeIsUp(), stop],
            verbose=0,
        )
    ended = [trial for trial in tuner.oracle.trials.values() if trial.score is not None]
    return (tuner.get_best_models(1)[0] if ended else None), len(ended)


def _learned(rows: Rows) -> tuple[Any, Array]:
    """Without rows whose item is not known; one array where there is one input."""
    known = rows.labels >= 0
    inputs = {name: np.array(value[known]) for name, value in rows.inputs.items()}
    return (next(iter(inputs.values())) if len(inputs) == 1 else inputs), np.array(rows.labels[known])


def _compiled(hp: Any, model: Any, *, ranks: bool = False) -> Any:
    import keras

    metric = keras.metrics.SparseTopKCategoricalAccuracy(10, name="top_10") if ranks else "accuracy"
    rate = hp.Choice("learning_rate", [1e-2, 1e-3, 1e-4])
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=[metric])
    return model


def _images(hp: Any, task: Task) -> Any:
    import keras

    layers = keras.layers
    image = keras.Input((28, 28), dtype="uint8")
    x = layers.Rescaling(1 / 255)(layers.Reshape((28, 28, 1))(image))
    for block in range(hp.Int("conv_blocks", 1, 3)):
        x = layers.Conv2D(hp.Int(f"filters_{block}", 16, 64, step=16), 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(hp.Int("units", 32, 256, step=32), activation="relu")(layers.Flatten()(x))
    x = layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1))(x)
    return _compiled(hp, keras.Model(image, layers.Dense(len(task.labels), activation="softmax")(x)))


def _texts(hp: Any, task: Task) -> Any:
    import keras

    layers = keras.layers
    step = _step(task, Text)
    tokens = keras.Input((step.length,), dtype="int32")
    x = layers.Embedding(step.size, hp.Choice("embedding", [16, 32, 64, 128]))(tokens)
    if hp.Choice("body", ["pooling", "convolution"]) == "convolution":
        x = layers.Conv1D(hp.Int("filters", 32, 128, step=32), 5, activation="relu")(x)
        x = layers.GlobalMaxPooling1D()(x)
    else:
        x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(hp.Int("units", 16, 128, step=16), activation="relu")(x)
    x = layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1))(x)
    return _compiled(hp, keras.Model(tokens, layers.Dense(len(task.labels), activation="softmax")(x)))


def _tables(hp: Any, task: Task) -> Any:
    import keras

    layers = keras.layers
    numbers, categories = _step(task, Numbers), _step(task, Categories)
    inputs = {spec.name: keras.Input(spec.shape, dtype=spec.dtype, name=spec.name) for spec in task.inputs}
    scaled = layers.Normalization(mean=numbers.mean, variance=np.square(numbers.deviation))(inputs[numbers.output])
    width = hp.Choice("embedding", [4, 8, 16])
    known = layers.Flatten()(layers.Embedding(categories.sizes[0], width)(inputs[categories.output]))
    x = layers.Concatenate()([scaled, known])
    for layer in range(hp.Int("layers", 1, 3)):
        x = layers.Dense(hp.Int(f"units_{layer}", 32, 256, step=32), activation="relu")(x)
    x = layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1))(x)
    return _compiled(hp, keras.Model(inputs, layers.Dense(len(task.labels), activation="softmax")(x)))


def _films(hp: Any, task: Task) -> Any:
    """User and last films embedded, and a perceptron over them."""
    import keras

    layers = keras.layers
    inputs = {spec.name: keras.Input(spec.shape, dtype=spec.dtype, name=spec.name) for spec in task.inputs}
    width = hp.Choice("embedding", [16, 32, 64, 128])
    preprocessor = task.preprocessor()
    assert preprocessor is not None  # the example has one
    parts = [
        layers.Flatten()(layers.Embedding(step.sizes[0], width)(inputs[step.output]))
        for step in preprocessor.steps
        if isinstance(step, Categories)
    ]
    x = layers.Concatenate()(parts)
    for layer in range(hp.Int("layers", 1, 2)):
        x = layers.Dense(hp.Int(f"units_{layer}", 32, 256, step=32), activation="relu")(x)
    x = layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1))(x)
    return _compiled(hp, keras.Model(inputs, layers.Dense(len(task.labels), activation="softmax")(x)), ranks=True)


def _step(task: Task, kind: Any) -> Any:
    preprocessor = task.preprocessor()
    assert preprocessor is not None  # the examples have one
    return preprocessor.step(kind)


_HYPERMODELS = {"fashion": _images, "sms": _texts, "electricity": _tables, "films": _films}
