"""A user's `keras_tuner.HyperModel`, taken as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import pytest

from evertune.errors import TaskError
from evertune.loading import load_task
from evertune.task import Splits, Task
from tune import StudyOracle, StudyTuner, TrialRecord
from tune.execution import execute
from tune.hypermodel import TaskHyperModel
from tune.journal import Journal
from tune.plan import Plan

_HYPERMODEL = '''\
import keras
import keras_tuner
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples.fashion_mnist.data import training_rows


class Data(Task):
    name = "own"
    labels = tuple("0123456789")
    inputs = (TensorSpec("image", "uint8", (28, 28)),)

    def load(self):
        rows = training_rows()
        return Splits(*[rows.take(slice(*each)) for each in [(0, 400), (400, 600), (600, 700), (700, 900)]])


class Own(keras_tuner.HyperModel):
    """As in KerasTuner's guide."""

    def declare_hyperparameters(self, hp):
        hp.Int("declared", 1, 2)

    def build(self, hp):
        model = keras.Sequential([keras.Input((28, 28)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()])
        if hp.Boolean("hidden", default=True):
            model.add(keras.layers.Dense(hp.Int("units", 8, 24, step=8), activation="relu"))
        model.add(keras.layers.Dense(10, activation="softmax"))
        model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-2)), "sparse_categorical_crossentropy")
        return model


class WithFit(Own):
    """Batch size and shuffling are searched where they are used."""

    def fit(self, hp, model, *args, **kwargs):
        batch_size = hp.Choice("batch_size", [10, 20], default=20)
        return model.fit(*args, batch_size=batch_size, shuffle=hp.Boolean("shuffle"), **kwargs)


class WithLoop(Own):
    """A loop of one's own, which tells nobody about its epochs."""

    def fit(self, hp, model, x, y, validation_data, epochs, callbacks, verbose):
        for _ in range(epochs):
            model.train_on_batch(x, y)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("own")
    (found / "own.py").write_text(_HYPERMODEL)
    return found


def explore(folder: Path, name: str, plan: Plan) -> StudyTuner:
    """What a search does before its first trial."""
    task = load_task(f"own.py:{name}", folder)
    oracle = StudyOracle(
        keras_tuner.Objective("accuracy", "max"), max_trials=3, journal=Journal(plan.folder / "journal.jsonl")
    )
    return StudyTuner(oracle, task, task.load(), plan)


def run(folder: Path, name: str, plan: Plan, on_epoch: Callable[..., bool], **values: Any) -> TrialRecord:
    task = load_task(f"own.py:{name}", folder)
    hps = keras_tuner.HyperParameters()
    hps.values = dict(values)
    splits = task.load()
    hypermodel = TaskHyperModel(task, splits, plan.max_epochs)
    return execute(hypermodel, hps, "0", plan, splits, warm=False, on_epoch=on_epoch)


def names(tuner: StudyTuner) -> set[str]:
    return {hp.name for hp in tuner.oracle.get_space().space}


def test_its_own_hyperparameters_are_searched_and_its_compile_holds(
    folder: Path, make_plan: Callable[[], Plan]
) -> None:
    found = names(explore(folder, "Own", make_plan()))
    assert {"declared", "hidden", "units", "rate"} <= found
    assert not {"optimizer", "learning_rate", "schedule"} & found
    assert {"batch_size", "augmentation"} <= found  # our loop trains it


def test_what_its_fit_asks_for_is_known_before_the_first_trial(folder: Path, make_plan: Callable[[], Plan]) -> None:
    tuner = explore(folder, "WithFit", make_plan())
    assert names(tuner) == {"declared", "hidden", "units", "rate", "batch_size", "shuffle"}
    (batch_size,) = [hp for hp in tuner.oracle.get_space().space if hp.name == "batch_size"]
    assert batch_size.values == [10, 20]  # its own, not ours
    trial = tuner.oracle.create_trial("a")
    assert trial.hyperparameters.values["batch_size"] == 20


def test_it_is_trained_and_scored_on_its_artifact(folder: Path, make_plan: Callable[[], Plan]) -> None:
    record = run(folder, "Own", make_plan(), lambda model, epoch, accuracy: True, rate=1e-2)
    assert (record.state, record.epochs) == ("completed", 2)
    assert record.score is not None
    assert record.score > 0.3


def test_its_fit_is_called_and_reports_its_epochs(folder: Path, make_plan: Callable[[], Plan]) -> None:
    epochs: list[int] = []

    def note(model: Any, epoch: int, accuracy: float) -> bool:
        epochs.append(epoch)
        assert int(model.optimizer.iterations.value) == epoch * 40  # 400 rows, ten at a time
        return True

    record = run(folder, "WithFit", make_plan(), note, batch_size=10)
    assert epochs == [1, 2]
    assert (record.state, record.epochs, record.hyperparameters["batch_size"]) == ("completed", 2, 10)
    assert record.score is not None


def test_its_fit_is_stopped_at_a_rung(folder: Path, make_plan: Callable[..., Plan]) -> None:
    record = run(folder, "WithFit", make_plan(max_epochs=5), lambda model, epoch, accuracy: epoch < 2)
    assert (record.state, record.epochs, record.score) == ("pruned", 2, None)
    assert record.rung_metric is not None


def test_a_loop_that_reports_nothing_is_never_stopped_and_scored_all_the_same(
    folder: Path, make_plan: Callable[[], Plan]
) -> None:
    record = run(folder, "WithLoop", make_plan(), lambda model, epoch, accuracy: False)
    assert (record.state, record.epochs) == ("completed", 0)
    assert record.score is not None


def refused(task: Task, splits: Splits, model: Any) -> str:
    class Wrong(type(task)):  # type: ignore[misc]  # the class is known at run time only
        def build(self, hp: Any) -> Any:
            return model

    with pytest.raises(TaskError) as caught:
        TaskHyperModel(Wrong(), splits, 1).build(keras_tuner.HyperParameters())
    return str(caught.value)


def test_what_is_no_model_or_does_not_answer_the_task_is_refused(task: Task, splits: Splits) -> None:
    import keras

    assert "Wrong.build returned a list" in refused(task, splits, [])
    seven = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(7)])
    assert "output (None, 7), but the task has 10 classes" in refused(task, splits, seven)
    image = keras.Input((28, 28))
    two = keras.Model(image, [keras.layers.Dense(10)(keras.layers.Flatten()(image))] * 2)
    assert 'Dense(10, activation="softmax")' in refused(task, splits, two)


def test_a_subclassed_model_that_was_never_called_is_accepted(task: Task, splits: Splits) -> None:
    import keras

    class Subclassed(keras.Model):  # type: ignore[misc]  # Keras has no types
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(10, activation="softmax")

        def call(self, x: Any) -> Any:
            return self.dense(keras.ops.reshape(keras.ops.cast(x, "float32") / 255, (-1, 784)))

    class WithModel(type(task)):  # type: ignore[misc]  # the class is known at run time only
        def build(self, hp: Any) -> Any:
            return Subclassed()

    model = TaskHyperModel(WithModel(), splits, 1).build(keras_tuner.HyperParameters())
    assert model.compiled
