from __future__ import annotations

from typing import Any

import keras_tuner
import numpy as np
import pytest

from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from tune.frameworks.keras_model import compile_model
from tune.optimization import OPTIMIZERS
from tune.strategy import choose_strategy


def model() -> Any:
    import keras

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])


class Three(Task):
    """Three classes; only its kind matters."""

    name = "three"
    labels = ("a", "b", "c")
    inputs = (TensorSpec("x", "float32", (4,)),)

    def load(self) -> Splits:
        raise NotImplementedError

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


THREE = Three()


def compiled(steps: int = 100, **values: Any) -> Any:
    hps = keras_tuner.HyperParameters()
    hps.values = dict(values)
    made = model()
    compile_model(hps, made, THREE, steps=steps)
    return made


def rates(optimizer: Any, steps: int) -> list[float]:
    import keras

    schedule = optimizer._learning_rate
    return [float(keras.ops.convert_to_numpy(schedule(step))) for step in range(steps + 1)]


def test_batch_size_and_augmentation_are_searched(task: Task) -> None:
    hps = keras_tuner.HyperParameters()
    strategy = choose_strategy(hps, task)
    assert (strategy.batch_size, strategy.augmentation) == (64, "none")
    assert hps.values == {"batch_size": 64, "augmentation": "none"}


@pytest.mark.parametrize(("epochs", "offered", "default"), [(3, [], 0), (5, [3, 0], 0), (10, [3, 6, 0], 6)])
def test_early_stopping_is_searched_where_it_could_save_any(
    task: Task, epochs: int, offered: list[int], default: int
) -> None:
    hps = keras_tuner.HyperParameters()
    assert choose_strategy(hps, task, max_epochs=epochs).patience_epochs == default
    assert [hp.values for hp in hps.space if hp.name == "patience_epochs"] == ([offered] if offered else [])


def test_a_batch_size_that_the_task_declared_itself_stays(task: Task) -> None:
    hps = keras_tuner.HyperParameters()
    hps.Fixed("batch_size", 10)
    assert choose_strategy(hps, task).batch_size == 10
    assert len([hp for hp in hps.space if hp.name == "batch_size"]) == 1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_has_its_own_rate_and_settings(name: str) -> None:
    hps = keras_tuner.HyperParameters()
    hps.values = {"optimizer": name, "schedule": "constant"}
    made = model()
    compile_model(hps, made, THREE, steps=10)
    own = {
        "adam": {"learning_rate"},
        "adamw": {"learning_rate", "weight_decay"},
        "momentum": {"momentum_learning_rate", "momentum", "sgd_weight_decay"},
        "sgd": {"sgd_learning_rate", "sgd_weight_decay"},
        "rmsprop": {"learning_rate", "weight_decay"},
        "adagrad": {"adagrad_learning_rate"},
    }
    assert set(hps.values) == {"optimizer", "schedule", "loss", "label_smoothing"} | own[name]
    assert type(made.optimizer).__name__.lower() == {"momentum": "sgd"}.get(name, name)


def test_schedules_end_at_a_twentieth_of_the_rate_and_a_warm_up_begins_there() -> None:
    cosine = rates(compiled(schedule="cosine", learning_rate=1e-2).optimizer, 100)
    assert cosine[0] == pytest.approx(1e-2)
    assert cosine[100] == pytest.approx(5e-4)
    assert cosine == sorted(cosine, reverse=True)
    warm = rates(compiled(schedule="warm_up_cosine", learning_rate=1e-2).optimizer, 100)
    assert warm[0] == pytest.approx(5e-4)
    assert max(warm) == pytest.approx(1e-2)
    assert np.argmax(warm) == 10
    assert warm[100] == pytest.approx(5e-4)


def test_the_step_schedule_drops_to_a_tenth_at_half_and_to_a_hundredth_at_three_quarters() -> None:
    found = rates(compiled(schedule="step", learning_rate=1e-2).optimizer, 100)
    assert [found[step] for step in (0, 50, 51, 75, 76, 100)] == pytest.approx([1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4])


@pytest.mark.parametrize("schedule", ["warm_up_cosine", "step"])
def test_a_training_of_a_single_step_has_a_schedule_too(schedule: str) -> None:
    assert all(np.isfinite(rates(compiled(steps=1, schedule=schedule).optimizer, 3)))


def test_a_model_that_the_task_compiled_keeps_its_own_choices() -> None:
    hps = keras_tuner.HyperParameters()
    made = model()
    made.compile("rmsprop", "sparse_categorical_crossentropy")
    compile_model(hps, made, THREE, steps=10)
    assert type(made.optimizer).__name__ == "RMSprop"
    assert hps.values == {}


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_cross_entropy_against_class_indices(smoothing: float) -> None:
    import keras

    made = compiled(label_smoothing=smoothing)
    truth = np.array([[0], [2]])
    probabilities = np.array([[0.7, 0.2, 0.1], [0.2, 0.2, 0.6]], np.float32)
    loss = keras.ops.convert_to_numpy(made.loss(truth, keras.ops.convert_to_tensor(probabilities)))
    target = np.eye(3)[[0, 2]] * (1 - smoothing) + smoothing / 3
    assert loss == pytest.approx(-(target * np.log(probabilities)).sum(axis=1), rel=1e-5)
