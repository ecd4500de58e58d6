from __future__ import annotations

from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from evertune.errors import TaskError
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from export import measure_untrained
from tune import presets
from tune.frameworks.keras_model import KerasLearner
from tune.seeding import seed_everything
from tune.strategy import Strategy
from tune.training import validation_accuracy

LOOSE = LimitSettings(latency_seconds=10.0)


def make_task(spec: TensorSpec, *more: TensorSpec) -> Task:
    class Shapes(Task):
        name = "shapes"
        labels = ("a", "b", "c")
        inputs = (spec, *more)

        def load(self) -> Splits:
            raise NotImplementedError

        def build(self, hp: Any) -> Any:
            return presets.image(hp, self)

    return Shapes()


def build(task: Task, **values: Any) -> Any:
    seed_everything(0)
    hps = keras_tuner.HyperParameters()
    hps.values = dict(values)
    return presets.image(hps, task)


GREY, COLOUR, SMALLEST = (
    TensorSpec("image", "uint8", (28, 28)),
    TensorSpec("image", "float32", (12, 20, 3)),
    TensorSpec("image", "uint8", (3, 3)),
)


@pytest.mark.parametrize(
    ("family", "spec"),
    [
        ("mlp", COLOUR),
        ("cnn", GREY),
        ("cnn", COLOUR),
        ("cnn", SMALLEST),
        ("separable", GREY),
        ("separable", COLOUR),
        ("residual", COLOUR),
        ("residual", SMALLEST),
    ],
)
def test_every_family_builds_exports_and_is_measured(family: str, spec: TensorSpec) -> None:
    task = make_task(spec)
    model = build(task, family=family, activation="gelu", batch_normalization=True)
    assert model.output_shape == (None, 3)
    footprint = measure_untrained(model, task, settings=ExportSettings(), limits=LOOSE)
    assert footprint.over is None
    assert 0 < footprint.size_bytes < 5_000_000


@pytest.mark.parametrize(
    ("family", "rate", "enough"),
    [("mlp", 1e-3, 0.5), ("cnn", 1e-3, 0.5), ("separable", 2e-2, 0.5), ("residual", 2e-2, 0.4)],
)
def test_every_family_learns_real_images(family: str, rate: float, enough: float, task: Task, splits: Splits) -> None:
    model = build(task, family=family, separable_stages=1, residual_stages=1)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(splits.train.inputs["image"], splits.train.labels, epochs=4, batch_size=32, verbose=0)
    assert validation_accuracy(KerasLearner(model, Strategy(32)), task, splits.validation) > enough


def test_the_space_has_the_sizes_of_the_chosen_family_only() -> None:
    task = make_task(TensorSpec("image", "uint8", (28, 28)))
    hps = keras_tuner.HyperParameters()
    presets.image(hps, task)
    assert hps.values["family"] == "cnn"
    assert {"cnn_layers", "cnn_filters", "cnn_units"} <= set(hps.values)
    others = ("mlp_", "separable_", "residual_")
    assert not any(name.startswith(others) for name in hps.values)
    assert {"mlp_units", "separable_filters", "residual_stages"} <= {hp.name for hp in hps.space}


def test_bytes_are_scaled_inside_the_model() -> None:
    scaled = build(make_task(TensorSpec("image", "uint8", (8, 8))), family="mlp", batch_normalization=False)
    plain = build(make_task(TensorSpec("image", "float32", (8, 8))), family="mlp", batch_normalization=False)
    plain.set_weights(scaled.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)
    expected = plain.predict(images.astype(np.float32) / 255, verbose=0)
    assert scaled.predict(images, verbose=0) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "specs",
    [
        [TensorSpec("x", "float32", (10,))],
        [TensorSpec("image", "int64", (28, 28))],
        [TensorSpec("image", "uint8", (None, 28))],
        [TensorSpec("image", "uint8", (2, 28))],
        [TensorSpec("image", "uint8", (28, 28)), TensorSpec("age", "float32", (1,))],
    ],
    ids=["no image", "integers", "any height", "too small", "two inputs"],
)
def test_an_input_that_is_no_image_is_refused(specs: list[TensorSpec]) -> None:
    with pytest.raises(TaskError, match=r"presets\.image needs one input .* task 'shapes' declares"):
        build(make_task(*specs))
