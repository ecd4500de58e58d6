"""Training losses: Keras and torch against each other, and both against the formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import keras_tuner
import numpy as np
import pytest

from evertune.errors import TaskError
from evertune.task import Splits, Task
from evertune.tensors import Array, TensorSpec
from tune.losses import LOSSES, Loss, choose_loss
from tune.losses.classification import CrossEntropy, Focal
from tune.losses.multilabel import Binary
from tune.losses.ranking import Bpr, SampledSoftmax
from tune.losses.regression import Absolute, Huber, Squared

RNG = np.random.default_rng(0)
ROWS, WIDTH = 12, 5
LOGITS = RNG.normal(size=(ROWS, WIDTH)).astype(np.float32)
SOFTMAX = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
SIGMOID = 1 / (1 + np.exp(-LOGITS))
CLASSES = RNG.integers(WIDTH, size=ROWS)
BITS = RNG.integers(2, size=(ROWS, WIDTH)).astype(np.uint8)
VALUES = RNG.normal(size=(ROWS, 1)).astype(np.float32) * 6
TARGETS = RNG.normal(size=ROWS).astype(np.float32)
OWN = SOFTMAX[np.arange(ROWS), CLASSES]
ERROR = (VALUES[:, 0] - TARGETS) / 2


def _binary(smoothing: float, gamma: float) -> Array:
    t, p = BITS * (1 - smoothing) + smoothing / 2, SIGMOID
    terms: Array = t * (1 - p) ** gamma * np.log(p) + (1 - t) * p**gamma * np.log(1 - p)
    return np.asarray(-terms.mean(axis=1))


def _smoothed(smoothing: float) -> Array:
    target = np.eye(WIDTH)[CLASSES] * (1 - smoothing) + smoothing / WIDTH
    return np.asarray(-(target * np.log(SOFTMAX)).sum(axis=1))


def _huber(delta: float) -> Array:
    size = np.abs(ERROR)
    return np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))


EXACT: list[tuple[Loss, Array, Array, Array]] = [
    (CrossEntropy(), SOFTMAX, CLASSES, -np.log(OWN)),
    (CrossEntropy(0.1), SOFTMAX, CLASSES, _smoothed(0.1)),
    (Focal(2.0), SOFTMAX, CLASSES, -((1 - OWN) ** 2) * np.log(OWN)),
    (Focal(0.5), SOFTMAX, CLASSES, -((1 - OWN) ** 0.5) * np.log(OWN)),
    (Binary(), SIGMOID, BITS, _binary(0.0, 0.0)),
    (Binary(label_smoothing=0.1), SIGMOID, BITS, _binary(0.1, 0.0)),
    (Binary(gamma=2.0), SIGMOID, BITS, _binary(0.0, 2.0)),
    (Squared(2.0), VALUES, TARGETS, ERROR**2),
    (Absolute(2.0), VALUES, TARGETS, np.abs(ERROR)),
    (Huber(2.0, 0.3), VALUES, TARGETS, _huber(0.3)),
    (SampledSoftmax(None), LOGITS, CLASSES, -np.log(OWN)),
]


def in_keras(loss: Loss, outputs: Array, truth: Array) -> Array:
    import keras

    found = loss.keras()(keras.ops.convert_to_tensor(truth), keras.ops.convert_to_tensor(outputs))
    return np.asarray(keras.ops.convert_to_numpy(found))


def in_torch(loss: Loss, outputs: Array, truth: Array, **options: bool) -> Array:
    import torch

    return np.asarray(loss.torch(**options)(torch.as_tensor(outputs), torch.as_tensor(truth)))


@pytest.mark.parametrize(("loss", "outputs", "truth", "expected"), EXACT, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("framework", [in_keras, in_torch])
def test_both_frameworks_give_the_formula(
    framework: Callable[[Loss, Array, Array], Array], loss: Loss, outputs: Array, truth: Array, expected: Array
) -> None:
    found = framework(loss, outputs.astype(np.float32), truth)
    assert found.shape == (ROWS,)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    "loss", [CrossEntropy(), CrossEntropy(0.1), Focal(2.0), Binary(), Binary(0.1), Binary(0.0, 2.0)]
)
def test_logits_give_what_probabilities_give_and_a_gradient_far_out(loss: Loss) -> None:
    import torch

    binary = isinstance(loss, Binary)
    truth, outputs = (BITS, SIGMOID) if binary else (CLASSES, SOFTMAX)
    found = in_torch(loss, LOGITS, truth, logits=True)
    np.testing.assert_allclose(found, in_torch(loss, outputs.astype(np.float32), truth), rtol=1e-4, atol=1e-6)
    far = torch.tensor(LOGITS * 100, requires_grad=True)
    loss.torch(logits=True)(far, torch.as_tensor(truth)).sum().backward()
    assert far.grad is not None
    assert bool(torch.isfinite(far.grad).all())


@pytest.mark.parametrize("framework", [in_keras, in_torch])
def test_sampled_softmax_estimates_the_softmax_over_all_items(
    framework: Callable[[Loss, Array, Array], Array],
) -> None:
    """One draw is for the whole batch, so the mean over draws is what comes close."""
    draws = np.stack([framework(SampledSoftmax(64), LOGITS, CLASSES) for _ in range(60)])
    np.testing.assert_allclose(draws.mean(axis=0), -np.log(OWN), atol=0.06)


@pytest.mark.parametrize("framework", [in_keras, in_torch])
def test_bpr_estimates_the_mean_over_all_other_items(framework: Callable[[Loss, Array, Array], Array]) -> None:
    own = np.take_along_axis(LOGITS, CLASSES[:, None], axis=1)
    terms = np.log1p(np.exp(LOGITS - own))
    terms[np.arange(ROWS), CLASSES] = 0
    draws = np.stack([framework(Bpr(64), LOGITS, CLASSES) for _ in range(60)])
    np.testing.assert_allclose(draws.mean(axis=0), terms.sum(axis=1) / (WIDTH - 1), atol=0.06)


@pytest.mark.parametrize("framework", [in_keras, in_torch])
@pytest.mark.parametrize("loss", [SampledSoftmax(None), SampledSoftmax(3), Bpr(3)], ids=repr)
def test_a_row_from_which_nothing_was_chosen_has_no_loss(
    framework: Callable[[Loss, Array, Array], Array], loss: Loss
) -> None:
    truth = np.where(np.arange(ROWS) % 2 == 0, CLASSES, -1)
    found = framework(loss, LOGITS, truth)
    assert not found[1::2].any()
    assert np.isfinite(found).all()


class Some(Task):
    """Only kind, labels and losses matter."""

    name: ClassVar[str] = "some"
    labels: ClassVar[tuple[str, ...]] = ("a", "b", "c")
    inputs: ClassVar[tuple[TensorSpec, ...]] = (TensorSpec("x", "float32", (1,)),)
    loss_scale = 2.0

    def load(self) -> Splits:
        raise NotImplementedError

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


def task_of(kind_name: str, *names: str) -> Task:
    task: Task = type("Own", (Some,), {"kind": kind_name, "losses": names})()
    return task


@pytest.mark.parametrize("kind", list(LOSSES))
def test_all_losses_of_a_kind_are_searched_unless_the_task_names_some(kind: str) -> None:
    hp = keras_tuner.HyperParameters()
    default = choose_loss(hp, task_of(kind))
    assert next(space for space in hp.space if space.name == "loss").values == list(LOSSES[kind])
    hp = keras_tuner.HyperParameters()
    assert type(choose_loss(hp, task_of(kind, next(iter(LOSSES[kind]))))) is type(default)
    assert "loss" not in hp.values
    for name in LOSSES[kind]:
        chosen = keras_tuner.HyperParameters()
        chosen.values = {"loss": name}
        assert choose_loss(chosen, task_of(kind)) is not None


def test_settings_of_a_loss_belong_to_it_alone() -> None:
    hp = keras_tuner.HyperParameters()
    choose_loss(hp, task_of("classification", "cross_entropy", "focal"))
    conditions = {space.name: [condition.values for condition in space.conditions] for space in hp.space}
    assert conditions == {"loss": [], "label_smoothing": [["cross_entropy"]], "focal_gamma": [["focal"]]}


def test_a_loss_that_the_kind_does_not_have_is_named() -> None:
    with pytest.raises(TaskError, match=r"'hinge'.*cross_entropy, focal"):
        choose_loss(keras_tuner.HyperParameters(), task_of("classification", "hinge"))
