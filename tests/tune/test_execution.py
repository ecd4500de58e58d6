"""One trial in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import pytest

from evertune.settings import LimitSettings
from evertune.task import Splits, Task
from export import export_model
from tune.execution import execute
from tune.hypermodel import TaskHyperModel
from tune.plan import Plan
from tune.record import TrialRecord
from tune.weights import load_arrays, save_arrays, values_of
from tune.winner import load_winner

MakePlan = Callable[..., Plan]


def go(model: Any, epoch: int, accuracy: float) -> bool:
    return True


def run(
    task: Task, splits: Splits, plan: Plan, on_epoch: Callable[..., bool] = go, *, warm: bool = False, **values: Any
) -> TrialRecord:
    hps = keras_tuner.HyperParameters()
    hps.values = {"units": 16, "rate": 5e-3, "augmentation": "none", **values}
    hypermodel = TaskHyperModel(task, splits, plan.max_epochs)
    return execute(hypermodel, hps, "0", plan, splits, warm=warm, on_epoch=on_epoch)


def files(plan: Plan) -> list[str]:
    return sorted(path.name for path in plan.trial_folder("0").glob("*"))


def test_a_completed_trial_is_scored_on_the_artifact_of_the_weights_it_keeps(
    task: Task, splits: Splits, make_plan: MakePlan
) -> None:
    plan = make_plan()
    record = run(task, splits, plan)
    assert (record.state, record.epochs) == ("completed", 2)
    assert "weights.npz" in files(plan)
    model = load_winner(TaskHyperModel(task, splits, 2), record.hyperparameters, plan, "0")
    result = export_model(model, task, splits, settings=plan.export, limits=plan.limits, seed=0)
    candidate = result.candidate(str(record.recipe))
    assert record.score == pytest.approx(candidate.accuracy)
    assert record.size_bytes == candidate.size_bytes
    assert record.candidates[0]["recipe"] == "fp32"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (LimitSettings(latency_seconds=1e-9), "one row takes"),
        (LimitSettings(latency_seconds=10.0, size_bytes=1000), "the file has"),
    ],
    ids=["latency", "size"],
)
def test_an_architecture_over_a_limit_is_never_trained(
    task: Task, splits: Splits, make_plan: MakePlan, limits: LimitSettings, reason: str
) -> None:
    def never(*_: Any) -> bool:
        raise AssertionError

    plan = make_plan(limits=limits)
    record = run(task, splits, plan, never)
    assert (record.state, record.epochs, record.score, record.rung_metric) == ("rejected", 0, None, None)
    assert record.error is not None
    assert record.error.startswith("not trained: ")
    assert reason in record.error
    assert record.latency_seconds is not None
    assert record.size_bytes is not None
    assert files(plan) == []


def test_a_trial_that_is_stopped_is_not_exported(task: Task, splits: Splits, make_plan: MakePlan) -> None:
    plan = make_plan()
    record = run(task, splits, plan, lambda model, epoch, accuracy: False)
    assert (record.state, record.epochs, record.score) == ("pruned", 1, None)
    assert record.rung_metric is not None
    assert record.candidates == []
    assert "weights.npz" not in files(plan)


def test_a_trial_that_is_run_again_gives_the_same(task: Task, splits: Splits, make_plan: MakePlan) -> None:
    first, second = (run(task, splits, make_plan(folder=make_plan().folder / name)) for name in "ab")
    assert first.rung_metric == second.rung_metric
    assert first.candidates[0]["accuracy"] == second.candidates[0]["accuracy"]
    weights = [load_arrays(make_plan().folder / name / "trials" / "0" / "weights.npz")["weights"] for name in "ab"]
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def first_accuracy(task: Task, splits: Splits, plan: Plan, *, warm: bool, **values: Any) -> float:
    seen: list[float] = []

    def note(model: Any, epoch: int, accuracy: float) -> bool:
        seen.append(accuracy)
        return False

    run(task, splits, plan, note, warm=warm, **values)
    return seen[0]


def test_a_warm_start_goes_on_from_the_weights_of_the_incumbent(
    task: Task, splits: Splits, make_plan: MakePlan, tmp_path: Path
) -> None:
    plan = make_plan(max_epochs=5)
    reached = run(task, splits, plan).rung_metric
    weights = plan.trial_folder("0") / "weights.npz"
    again = replace(plan, folder=tmp_path / "again", warm_weights=weights)
    still = {"rate": 1e-6}  # learns next to nothing by itself
    cold = first_accuracy(task, splits, replace(again, folder=tmp_path / "cold"), warm=False, **still)
    warm = first_accuracy(task, splits, again, warm=True, **still)
    assert reached is not None
    assert warm == pytest.approx(reached, abs=0.02)
    assert cold < warm - 0.2
    other = first_accuracy(task, splits, replace(again, folder=tmp_path / "b"), warm=True, units=32, **still)
    assert other < warm - 0.2  # another architecture begins anew


def test_weights_of_another_model_are_not_taken_for_the_winner(task: Task, splits: Splits, make_plan: MakePlan) -> None:
    plan = make_plan()
    save_arrays(plan.trial_folder("0") / "weights.npz", weights=[np.zeros((2, 2))])
    hypermodel = TaskHyperModel(task, splits, 2)
    with pytest.raises(Exception, match="do not fit the model that the task builds now"):
        load_winner(hypermodel, {"units": 16}, plan, "0")
    with pytest.raises(Exception, match="were not kept"):
        load_winner(hypermodel, {"units": 16}, plan, "1")


def test_a_loss_that_becomes_nan_is_raised_and_nothing_is_exported(
    task: Task, splits: Splits, make_plan: MakePlan
) -> None:
    plan = make_plan()

    def ruin(model: Any, epoch: int, accuracy: float) -> bool:
        model.set_weights([np.full(weight.shape, np.nan, np.float32) for weight in values_of(model.weights)])
        return True

    with pytest.raises(FloatingPointError):
        run(task, splits, plan, ruin)
    assert "weights.npz" not in files(plan)
