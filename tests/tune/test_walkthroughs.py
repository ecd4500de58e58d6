"""The classic walk-throughs build what they say; running them whole takes minutes, and is for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_tuner
import pytest

import examples.walkthroughs
from evertune.loading import load_task
from tune.hypermodel import TaskHyperModel

FOLDER = Path(examples.walkthroughs.__file__).parent


def built(file: str, name: str, **values: Any) -> tuple[Any, keras_tuner.HyperParameters]:
    task = load_task(f"{file}:{name}", FOLDER)
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    return TaskHyperModel(task, task.load(), 1).build(hp), hp


def units(model: Any) -> list[int]:
    return [layer.units for layer in model.layers if hasattr(layer, "units")]


def test_the_learning_rate_is_that_of_a_network_of_two_layers() -> None:
    model, hp = built("learning_rate.py", "LearningRate", learning_rate=0.02)
    assert units(model) == [128, 10]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    assert set(hp.values) == {"learning_rate", "batch_size", "augmentation"}


def test_layers_have_units_only_where_they_are() -> None:
    assert units(built("layers_and_units.py", "LayersAndUnits")[0]) == [128, 10]
    model, hp = built("layers_and_units.py", "LayersAndUnits", layers=2, units_1=64, units_2=32)
    assert units(model) == [64, 32, 10]
    assert "units_3" not in hp.values


@pytest.mark.parametrize(("optimizer", "steps"), [("gradient descent", 1), ("SGD", 125), ("RMSprop", 125)])
def test_gradient_descent_takes_one_step_an_epoch_on_all_rows(optimizer: str, steps: int) -> None:
    task: Any = load_task("optimizers.py:Optimizers", FOLDER)
    hp = keras_tuner.HyperParameters()
    hp.values = {"optimizer": optimizer}
    model, splits = task.build(hp), task.load()
    task.fit(hp, model, splits.train, splits.validation, 1, [])
    assert int(model.optimizer.iterations.value) == steps
    assert ("batch_size" in hp.values) == (optimizer != "gradient descent")
