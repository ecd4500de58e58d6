"""What holds for every framework: kills, seeds, warm starts, errors; and one Keras backend a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evertune.errors import SearchError, TaskError
from evertune.settings import LimitSettings
from tests.tune.framework_models import Images, KerasImages, SklearnImages, TorchImages
from tune.execution import execute
from tune.frameworks import Lesson, framework_of
from tune.frameworks.sklearn_estimator import SklearnLearner, set_seeds, weight_parameter
from tune.frameworks.torch_module import TorchLearner
from tune.hypermodel import TaskHyperModel
from tune.optimization import OPTIMIZERS, SCHEDULES, Optimization, choose_optimization
from tune.plan import Plan
from tune.record import TrialRecord
from tune.strategy import balanced, choose_strategy
from tune.training import lesson
from tune.weights import load_arrays
from tune.winner import load_winner

MakePlan = Callable[..., Plan]
KINDS: list[type[Images]] = [KerasImages, TorchImages, SklearnImages]


def values(**changes: Any) -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    hp.values = {"augmentation": "none", "schedule": "constant", "learning_rate": 5e-3, **changes}
    return hp


def run(task: Images, plan: Plan, *, warm: bool = False, stop: bool = False, **changes: Any) -> TrialRecord:
    splits = task.load()
    hypermodel = TaskHyperModel(task, splits, plan.max_epochs)
    return execute(hypermodel, values(**changes), "0", plan, splits, warm=warm, on_epoch=lambda *_: not stop)


@pytest.mark.parametrize(
    ("backend", "frameworks"),
    [("torch", ["torch"]), ("tensorflow", ["tensorflow"])],
)
def test_a_training_that_is_killed_goes_on_as_it_would_have_and_no_other_framework_is_imported(
    backend: str, frameworks: list[str], tmp_path: Path
) -> None:
    """`kill -9` after the second epoch of four; scikit-learn's one fit is done again."""
    script = Path(__file__).with_name("killed_training.py")
    environment = os.environ | {"KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], env=environment, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["frameworks"] == frameworks
    assert {"KerasImages"} <= set(told["found"])
    for name, found in told["found"].items():
        assert found["killed"], name
        assert found["resumed"] == found["whole"], name
        assert found["difference"] < 1e-5, name
        assert found["reports"] == ([1] if name == "SklearnImages" else [2, 3, 4]), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_is_trained_exported_and_shipped_again_as_it_was(kind: type[Images], make_plan: MakePlan) -> None:
    plan, task = make_plan(max_epochs=3), kind()
    record = run(task, plan)
    assert record.state == "completed", record.error
    assert record.score is not None
    assert record.score > 0.4
    assert record.rung_metric is not None
    assert record.candidates[0]["accuracy"] == pytest.approx(record.rung_metric, abs=0.011)  # ties at most
    assert record.candidates[0]["parity"]["absolute"] < 1e-4
    splits = task.load()
    model = load_winner(TaskHyperModel(task, splits, 3), record.hyperparameters, plan, "0")
    _, learner = TaskHyperModel(task, splits, 3).learner(values())
    fresh = learner if kind is SklearnImages else None
    if fresh is not None:
        assert isinstance(fresh, SklearnLearner)
        assert load_arrays(plan.trial_folder("0") / "weights.npz").get("weights", []) == []  # nothing is pickled
    again = framework_of(model, task).learner(values(), model, task, splits.train, 3)
    right = again.predict(splits.validation.inputs).argmax(axis=1) == splits.validation.labels
    assert right.mean() == pytest.approx(record.rung_metric)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (LimitSettings(latency_seconds=1e-9), "one row takes"),
        (LimitSettings(latency_seconds=10.0, size_bytes=1000), "the file has"),
    ],
    ids=["latency", "size"],
)
def test_an_estimator_over_a_limit_is_rejected_when_it_is_fitted(
    make_plan: MakePlan, limits: LimitSettings, reason: str
) -> None:
    plan = make_plan(limits=limits)
    record = run(SklearnImages(), plan)
    assert (record.state, record.epochs, record.score, record.recipe) == ("rejected", 1, None, "fp32")
    assert record.error is not None
    assert record.error.startswith("known when fitted: ")
    assert reason in record.error
    assert record.latency_seconds is not None
    assert record.size_bytes is not None
    assert not (plan.trial_folder("0") / "weights.npz").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_trial(kind: type[Images], make_plan: MakePlan, tmp_path: Path) -> None:
    first, second = (run(kind(), make_plan(folder=tmp_path / name)) for name in "ab")
    other = run(kind(), make_plan(folder=tmp_path / "c", seed=9))
    assert first.rung_metric == second.rung_metric
    assert first.candidates[0]["size_bytes"] == second.candidates[0]["size_bytes"]
    assert first.rung_metric != other.rung_metric


def test_an_estimator_that_gives_another_model_when_it_is_fitted_again_does_not_ship(make_plan: MakePlan) -> None:
    plan = make_plan()
    run(SklearnImages(), plan)

    class Edited(SklearnImages):
        def build(self, hp: Any) -> Any:
            return make_pipeline(StandardScaler(), RandomForestClassifier(3, max_depth=2))

    edited = Edited()
    with pytest.raises(SearchError, match=r"trial 0 reached accuracy 0\.\d+ .* trained again it reaches 0\."):
        load_winner(TaskHyperModel(edited, edited.load(), 2), {}, plan, "0")


@pytest.mark.parametrize("kind", [KerasImages, TorchImages])
def test_a_warm_start_takes_weights_over_where_they_fit(
    kind: type[Images], make_plan: MakePlan, tmp_path: Path
) -> None:
    plan = make_plan(max_epochs=6)
    reached = run(kind(), plan).rung_metric
    still: dict[str, Any] = {"learning_rate": 1e-9, "optimizer": "adam"}
    again = replace(plan, max_epochs=2, warm_weights=plan.trial_folder("0") / "weights.npz")
    warm = run(kind(), replace(again, folder=tmp_path / "warm"), warm=True, **still).rung_metric
    cold = run(kind(), replace(again, folder=tmp_path / "cold"), **still).rung_metric
    other = run(kind(), replace(again, folder=tmp_path / "other"), warm=True, units=8, **still).rung_metric
    assert reached is not None and warm is not None and cold is not None and other is not None  # noqa: PT018
    assert warm == pytest.approx(reached, abs=0.05)
    assert max(cold, other) < warm - 0.15


def test_a_warm_start_from_another_framework_begins_anew(make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan()
    run(KerasImages(), plan)
    again = replace(plan, warm_weights=plan.trial_folder("0") / "weights.npz")
    for kind in (TorchImages, SklearnImages):
        assert run(kind(), replace(again, folder=tmp_path / kind.__name__), warm=True).state == "completed"


def test_a_stop_ends_a_torch_training_and_comes_too_late_for_a_fit(make_plan: MakePlan, tmp_path: Path) -> None:
    torch_trial = run(TorchImages(), make_plan(folder=tmp_path / "a"), stop=True)
    assert (torch_trial.state, torch_trial.epochs) == ("pruned", 1)
    fitted = run(SklearnImages(), make_plan(folder=tmp_path / "b"), stop=True)
    assert (fitted.state, fitted.epochs) == ("completed", 1)
    assert not (tmp_path / "b" / "trials" / "0" / "checkpoint.npz").exists()


# --- what is refused ----------------------------------------------------------------------------------------------


def build(model: Any) -> str:
    class Given(Images):
        def build(self, hp: Any) -> Any:
            return model

    task = Given()
    with pytest.raises(TaskError) as caught:
        TaskHyperModel(task, task.load(), 1).build(values())
    return str(caught.value)


def test_what_does_not_answer_the_task_is_refused_in_the_words_of_its_framework() -> None:
    flat = torch.nn.Flatten()
    assert "output (None, 784), but the task has 10 classes" in build(flat)
    assert "End the module with torch.nn.Linear(..., 10)" in build(flat)
    assert "does not run on Task.inputs: RuntimeError" in build(torch.nn.Linear(3, 10))
    assert "RidgeClassifier, which gives no probabilities" in build(make_pipeline(StandardScaler(), RidgeClassifier()))
    assert "a Keras 3 model, a torch.nn.Module, a scikit-learn estimator" in build("a model")


def test_a_torch_module_beside_keras_on_tensorflow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "tensorflow")
    assert 'tune.backend = "torch"' in build(torch.nn.Flatten())


def test_a_loss_that_is_no_number_ends_a_torch_training(make_plan: MakePlan) -> None:
    with pytest.raises(FloatingPointError, match=r"loss became nan|outputs"):
        run(TorchImages(), make_plan(), optimizer="sgd", sgd_learning_rate=float("nan"))


# --- loops of one's own -------------------------------------------------------------------------------------------


def test_a_torch_loop_of_ones_own_reports_through_its_callback(make_plan: MakePlan) -> None:
    class Own(TorchImages):
        def fit(self, hp: Any, model: Any, train: Any, validation: Any, epochs: int, callbacks: list[Any]) -> None:
            optimizer = torch.optim.Adam(model.parameters(), hp.Float("rate", 1e-3, 1e-1, default=1e-2))
            for epoch in range(epochs):
                optimizer.zero_grad()
                logits = model(torch.tensor(train.inputs["image"]))
                torch.nn.functional.cross_entropy(logits, torch.tensor(train.labels)).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                if not all(go_on(epoch + 1) for go_on in callbacks):
                    return

    record = run(Own(), make_plan(max_epochs=5))
    assert (record.state, record.epochs) == ("completed", 5)
    assert record.hyperparameters == {"units": 16, "rate": 1e-2}
    assert (run(Own(), make_plan(max_epochs=5), stop=True).state) == "pruned"


# --- strategy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_are_the_same_in_keras_and_torch(schedule: str) -> None:
    from tune.frameworks.keras_optimizer import keras_optimizer

    chosen = Optimization("sgd", 0.1, schedule, steps=40)
    rate = keras_optimizer(chosen)._learning_rate
    for step in (0, 1, 3, 4, 20, 39, 40, 60):
        keras_rate = float(keras.ops.convert_to_numpy(rate(step) if callable(rate) else rate.value.detach()))
        assert chosen.rate(step) == pytest.approx(keras_rate, rel=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_take_the_same_steps_in_keras_and_torch(optimizer: str) -> None:
    """Five steps on a parabola, from the same place; all of them with weight decay."""
    from tune.frameworks.keras_optimizer import keras_optimizer
    from tune.frameworks.torch_optimizer import decay_weights, torch_optimizer

    chosen = Optimization(optimizer, 0.05, "constant", steps=5, weight_decay=1.0, momentum=0.9)
    variable, parameter = keras.Variable(np.array([1.0, -2.0], "float32")), torch.nn.Parameter(torch.tensor([1.0, -2]))
    ours, theirs = keras_optimizer(chosen), torch_optimizer(chosen, [parameter])
    for _ in range(5):
        ours.apply([2 * variable.value.detach()], [variable])
        parameter.grad = 2 * parameter.detach()
        decay_weights([parameter], chosen.learning_rate * chosen.weight_decay)
        theirs.step()
    loose = 0.06 if optimizer == "adagrad" else 0.01  # Keras starts AdaGrad's sum at 0.1, torch at 0
    np.testing.assert_allclose(variable.value.detach().numpy(), parameter.detach().numpy(), atol=loose)


def test_classic_gradient_descent_has_a_batch_of_all_rows_and_no_momentum() -> None:
    hp = values(optimizer="sgd")
    hp.Fixed("batch_size", 400)
    task = TorchImages()
    splits = task.load()
    _, learner = TaskHyperModel(task, splits, 3).learner(hp)
    assert isinstance(learner, TorchLearner)
    steps: list[int] = []
    learner.model.register_forward_hook(lambda module, inputs, output: steps.append(len(output)))
    learner.train_epoch(lesson(learner.strategy, splits.train, np.random.default_rng(0)), epoch=0, seed=1)
    assert steps == [400]
    assert choose_optimization(hp, steps=1).momentum == 0.0


def test_a_last_batch_of_one_row_is_left_out_which_batch_normalisation_cannot_learn_from() -> None:
    task = TorchImages()
    rows = task.load().train.take(slice(0, 129))
    hp = values(batch_size=64)
    learner = TaskHyperModel(task, replace(task.load(), train=rows), 1).learner(hp)[1]
    assert np.isfinite(learner.train_epoch(Lesson(rows.inputs, rows.labels, None), epoch=0, seed=1))


def test_class_weights_are_searched_where_classes_are_uneven_and_make_each_count_alike() -> None:
    hp, task = keras_tuner.HyperParameters(), KerasImages()
    assert choose_strategy(hp, task, np.arange(10)).class_weights == "none"
    assert "class_weights" not in hp.values
    uneven = np.array([0] * 90 + [1] * 10)
    choose_strategy(hp, task, uneven)
    assert hp.values["class_weights"] == "none"
    hp.values["class_weights"] = "balanced"
    strategy = choose_strategy(hp, task, uneven)
    rows = replace(task.load().train.take(slice(0, 100)), labels=uneven)
    found = lesson(strategy, rows, np.random.default_rng(0))
    assert found.weights is not None
    assert found.weights[found.labels == 0].sum() == pytest.approx(found.weights[found.labels == 1].sum())
    assert balanced(uneven).mean() == pytest.approx(1.0)


def test_class_weights_that_the_task_declares_are_not_balanced_once_more() -> None:
    class Weighted(Images):
        class_weights = "balanced"

    hp = keras_tuner.HyperParameters()
    assert choose_strategy(hp, Weighted(), np.array([0] * 9 + [1])).class_weights == "none"
    assert "class_weights" not in hp.values


def test_seeds_go_to_every_step_that_has_none() -> None:
    model = make_pipeline(StandardScaler(), RandomForestClassifier(random_state=3), LogisticRegression())
    set_seeds(model, 7)
    assert (model.steps[1][1].random_state, model.steps[2][1].random_state) == (3, 7)


def test_row_weights_go_to_the_last_step_if_it_takes_them() -> None:
    weights = np.ones(3)
    assert set(weight_parameter(LogisticRegression(), weights)) == {"sample_weight"}
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    assert set(weight_parameter(pipeline, weights)) == {"logisticregression__sample_weight"}
    from sklearn.neighbors import KNeighborsClassifier

    assert weight_parameter(KNeighborsClassifier(), weights) == {}
