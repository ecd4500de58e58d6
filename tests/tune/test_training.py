from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import pytest

from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import Array
from examples.fashion_mnist.task import FashionMnist
from tune.frameworks.keras_model import KerasLearner
from tune.hypermodel import TaskHyperModel
from tune.seeding import seed_everything
from tune.strategy import Strategy
from tune.training import Trained, sample_weights, train, validation_accuracy
from tune.weights import values_of

EPOCHS = 3
STRATEGY = Strategy(batch_size=50, augmentation="shift_flip")


class KilledError(Exception):
    """As if the process were killed."""


@pytest.fixture(scope="module")
def few(splits: Splits) -> Splits:
    return Splits(
        splits.train.take(slice(0, 300)), splits.validation.take(slice(0, 200)), splits.calibration, splits.test
    )


def build(task: Task, splits: Splits, seed: int, **values: Any) -> Any:
    seed_everything(seed)
    hps = keras_tuner.HyperParameters()
    hps.values = dict(values)
    return TaskHyperModel(task, splits, EPOCHS).build(hps)


def run(
    model: Any, splits: Splits, checkpoint: Path, report: Callable[[int, float], bool] = lambda epoch, accuracy: True
) -> Trained:
    learner = KerasLearner(model, STRATEGY)
    return train(learner, FashionMnist(), splits, epochs=EPOCHS, seed=5, report=report, checkpoint=checkpoint)


def accuracy_of(model: Any, rows: Rows) -> float:
    return validation_accuracy(KerasLearner(model, STRATEGY), FashionMnist(), rows)


def arrays(model: Any) -> list[Array]:
    return values_of([*model.variables, *model.optimizer.variables])


def test_a_training_that_is_killed_after_any_epoch_goes_on_as_it_would_have(
    task: Task, few: Splits, tmp_path: Path
) -> None:
    """Dropout, augmentation, the order of rows, moments of the optimizer: all of it must be taken up again."""
    whole = build(task, few, 1)
    expected = run(whole, few, tmp_path / "whole.npz")
    for killed_after in (1, 2):
        checkpoint = tmp_path / f"killed-{killed_after}.npz"

        def die(epoch: int, accuracy: float, last: int = killed_after) -> bool:
            if epoch == last:
                raise KilledError
            return True

        with pytest.raises(KilledError):
            run(build(task, few, 1), few, checkpoint, die)
        reports: list[int] = []

        def note(epoch: int, accuracy: float, to: list[int] = reports) -> bool:
            to.append(epoch)
            return True

        other = build(task, few, 99)  # another process, which drew other weights
        found = run(other, few, checkpoint, note)
        assert found == expected
        assert reports == list(range(killed_after, EPOCHS + 1))  # the answer to the last one may have been lost
        assert int(other.optimizer.iterations.value) == EPOCHS * 6
        for one, two in zip(arrays(whole), arrays(other), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)


def test_the_model_ends_with_the_weights_of_its_best_epoch(task: Task, few: Splits, tmp_path: Path) -> None:
    model = build(task, few, 1, rate=1e-2)
    seen: dict[float, list[Array]] = {}

    def note(epoch: int, accuracy: float) -> bool:
        seen.setdefault(accuracy, values_of(model.weights))
        return True

    trained = run(model, few, tmp_path / "c.npz", note)
    assert trained == Trained(EPOCHS, max(seen), stopped=False)
    assert accuracy_of(model, few.validation) == pytest.approx(trained.accuracy)
    for one, two in zip(seen[trained.accuracy], values_of(model.weights), strict=True):
        assert (one == two).all()


def test_a_no_ends_the_training_at_that_epoch(task: Task, few: Splits, tmp_path: Path) -> None:
    trained = run(build(task, few, 1), few, tmp_path / "c.npz", lambda epoch, accuracy: epoch < 2)
    assert (trained.epochs, trained.stopped) == (2, True)


def test_a_no_after_the_last_epoch_comes_too_late(task: Task, few: Splits, tmp_path: Path) -> None:
    trained = run(build(task, few, 1), few, tmp_path / "c.npz", lambda epoch, accuracy: epoch < EPOCHS)
    assert (trained.epochs, trained.stopped) == (EPOCHS, False)


def test_a_training_ends_where_nothing_was_gained_for_so_long_and_is_no_longer_when_taken_up_again(
    task: Task, few: Splits, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "c.npz"
    for seed in (1, 99):
        learner = KerasLearner(build(task, few, seed, rate=1e-6), Strategy(batch_size=300, patience_epochs=1))
        learner.model.optimizer.learning_rate = 0.0
        reports: list[int] = []

        def note(epoch: int, accuracy: float, to: list[int] = reports) -> bool:
            to.append(epoch)
            return True

        trained = train(learner, task, few, epochs=EPOCHS, seed=5, report=note, checkpoint=checkpoint)
        assert (trained.epochs, trained.stopped) == (2, False)
        assert reports == ([1, 2] if seed == 1 else [2])


def test_a_loss_that_is_no_number_ends_the_training(task: Task, few: Splits, tmp_path: Path) -> None:
    model = build(task, few, 1)
    model.optimizer.learning_rate = float("nan")
    with pytest.raises(FloatingPointError, match=r"epoch|outputs"):
        run(model, few, tmp_path / "c.npz")


def test_probabilities_that_are_no_numbers_are_noticed(task: Task, few: Splits) -> None:
    model = build(task, few, 1)
    model.set_weights([np.full(weight.shape, np.nan) for weight in values_of(model.weights)])
    with pytest.raises(FloatingPointError, match="outputs"):
        accuracy_of(model, few.validation)


def test_a_checkpoint_of_another_architecture_is_not_used(task: Task, few: Splits, tmp_path: Path) -> None:
    checkpoint = tmp_path / "c.npz"
    run(build(task, few, 1, units=16), few, checkpoint, lambda epoch, accuracy: False)
    reports: list[int] = []

    def note(epoch: int, accuracy: float) -> bool:
        reports.append(epoch)
        return True

    run(build(task, few, 1, units=32), few, checkpoint, note)
    assert reports == [1, 2, 3]


def test_row_weights_have_the_mean_one_and_equal_ones_are_left_out() -> None:
    rows = Rows({"x": np.zeros((4, 1))}, np.zeros(4, int))
    assert sample_weights(rows) is None
    weighted = replace(rows, weights=np.array([1, 1, 1, 5], np.float32))
    assert sample_weights(weighted) == pytest.approx([0.5, 0.5, 0.5, 2.5])


def test_row_weights_count_in_the_validation_accuracy(task: Task, few: Splits) -> None:
    model = build(task, few, 1)
    right = model.predict(few.validation.inputs["image"], verbose=0).argmax(axis=1) == few.validation.labels
    weights = np.where(right, 3.0, 1.0).astype(np.float32)
    expected = weights[right].sum() / weights.sum()
    assert accuracy_of(model, replace(few.validation, weights=weights)) == pytest.approx(expected)


def test_rows_of_weight_zero_are_not_learned(task: Task, few: Splits, tmp_path: Path) -> None:
    """Half of the rows have wrong labels and no weight."""
    count = len(few.train)
    wrong = replace(
        few.train, labels=(few.train.labels + 1) % 10, weights=np.zeros(count, np.float32), ids=("",) * count
    )
    mixed = replace(few, train=Rows.concatenate([few.train, wrong]))
    model = build(task, mixed, 1)
    right = run(model, mixed, tmp_path / "c.npz").accuracy
    validation = few.validation
    assert right > 3 * accuracy_of(model, replace(validation, labels=(validation.labels + 1) % 10))
