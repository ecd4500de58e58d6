"""Trained models on real rows, one of each kind that the examples serve."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._harness import Options
from evertune.errors import DataError
from evertune.rows import Rows
from evertune.splitting import split
from evertune.task import Splits, Task
from evertune.tensors import Array

_CALIBRATION_ROWS = 512
_PARTS = ("train", "t10k")  # of Fashion-MNIST as it is published


@dataclass(frozen=True)
class Trained:
    """A model with its task and rows.

    Attributes:
        name: For figures.
        model: Keras, trained.
        task: What it does.
        splits: Rows; those of validation and test had no part in its training.
        parameters: How many numbers it has.
    """

    name: str
    model: Any
    task: Task
    splits: Splits
    parameters: int


def trained_models(options: Options) -> Iterator[Trained]:
    """Trains them one after another.

    Raises:
        DataError: A data set is neither in `--data` nor can it be had.
    """
    os.environ["KERAS_BACKEND"] = "torch"
    if options.data is not None:
        os.environ["EVERTUNE_DATA"] = str(options.data)  # where the examples look
    for name, (load, build, epochs) in _MODELS.items():
        task, splits = load()
        if options.quick:
            splits = Splits(splits.train.take(slice(0, 8_000)), splits.validation, splits.calibration, splits.test)
        model = _fit(build, task, splits.train, max(1, epochs // 2) if options.quick else epochs, options.seed)
        yield Trained(name, model, task, splits, int(model.count_params()))


def _fashion() -> tuple[Task, Splits]:
    from examples.fashion_mnist.task import FashionMnist

    rows = _all_images()
    cuts = (12_000, 12_000 + _CALIBRATION_ROWS, 30_000) if len(rows) == 70_000 else (9_000, 9_512, 14_000)
    train, calibration, validation, test = (
        rows.take(slice(start, stop)) for start, stop in zip((0, *cuts), (*cuts, len(rows)), strict=True)
    )
    return FashionMnist(), Splits(train, validation, calibration, test)


def _all_images() -> Rows:
    """All 70,000 where the data folder has them, else the 20,000 that are shipped."""
    from examples.fashion_mnist.data import stream_rows, training_rows

    folder = Path(os.environ.get("EVERTUNE_DATA", "")) / "fashion-mnist"
    if not folder.is_dir():
        return Rows.concatenate([training_rows(), stream_rows()])
    images, labels = (
        np.concatenate([_idx(folder / f"{part}-{kind}-ubyte.gz", header) for part in _PARTS])
        for kind, header in (("images-idx3", 16), ("labels-idx1", 8))
    )
    return Rows({"image": images.reshape(-1, 28, 28)}, labels.astype(np.int64))


def _idx(path: Path, header_bytes: int) -> Array:
    if not path.is_file():
        raise DataError(f"{path} is not there", fix="Put the four files of Fashion-MNIST into that folder.")
    return np.frombuffer(gzip.decompress(path.read_bytes())[header_bytes:], np.uint8)


def _example(module: str, name: str, ratios: tuple[float, float, float, float]) -> Callable[[], tuple[Task, Splits]]:
    """An example's task; its rows are cut anew, in their order, so that enough of them judge."""

    def load() -> tuple[Task, Splits]:
        import importlib

        task: Task = getattr(importlib.import_module(f"examples.{module}.task"), name)()
        return task, split(Rows.concatenate(list(task.load().parts.values())), ratios=ratios)

    return load


def _preset(name: str, **values: Any) -> Callable[[Task], Any]:
    def build(task: Task) -> Any:
        import keras_tuner

        from tune import presets

        hp = keras_tuner.HyperParameters()
        hp.values = values
        return getattr(presets, name)(hp, task)

    return build


def _wide(task: Task) -> Any:
    import keras

    inputs = keras.Input((28, 28), dtype="uint8", name="image")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    for units in (2048, 2048):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    return keras.Model(inputs, keras.layers.Dense(len(task.labels), activation="softmax")(hidden))


def _fit(build: Callable[[Task], Any], task: Task, rows: Rows, epochs: int, seed: int) -> Any:
    import keras
    import torch

    from tune.frameworks.keras_model import model_inputs
    from tune.seeding import seed_everything

    seed_everything(seed)
    torch.set_num_threads(os.cpu_count() or 1)
    model = build(task)
    known = np.flatnonzero(rows.labels >= 0)  # of a ranking: rows whose item the training rows have
    order = np.random.default_rng(seed).permutation(known)  # also a copy: shipped rows are read-only
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=task.kind == "ranking")
    model.compile(keras.optimizers.Adam(1e-3), loss)
    inputs = {name: value[order] for name, value in rows.inputs.items()}
    model.fit(model_inputs(inputs), rows.labels[order], epochs=epochs, batch_size=128, verbose=0)
    return model


_MODELS: dict[str, tuple[Callable[[], tuple[Task, Splits]], Callable[[Task], Any], int]] = {
    "fashion_mlp": (_fashion, _preset("image", family="mlp", mlp_layers=2, mlp_units=256), 5),
    "fashion_cnn": (_fashion, _preset("image", family="cnn", cnn_layers=2, cnn_filters=16, cnn_units=64), 3),
    "sms_text": (_example("sms_spam", "SmsSpam", (0.35, 0.3, 0.05, 0.3)), _preset("text", family="cnn"), 40),
    "films_tower": (
        _example("movielens", "MovieLens", (0.7, 0.1, 0.02, 0.18)),
        _preset("recommendation", family="two_tower", width=64, units=128),
        6,
    ),
    "weather_tabular": (_example("weather", "Weather", (0.4, 0.25, 0.05, 0.3)), _preset("tabular", units=128), 10),
    "fashion_wide": (_fashion, _wide, 2),
}
