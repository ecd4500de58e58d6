"""Measured defects of KerasTuner 1.4.8 that this search must not have, one test each."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import pytest
from keras_tuner.engine.trial import Trial
from threadpoolctl import threadpool_limits

from evertune.task import Splits, Task
from tune import StudyOracle, StudyTuner
from tune.drop_in import Tuner
from tune.execution import execute
from tune.hypermodel import TaskHyperModel
from tune.journal import Journal
from tune.plan import Plan
from tune.rungs import Rungs

_PATIENCE_SECONDS = 60.0
MakePlan = Callable[..., Plan]


def space() -> keras_tuner.HyperParameters:
    hps = keras_tuner.HyperParameters()
    hps.Choice("kind", ["a", "b"])
    hps.Float("x", 0.0, 1.0, default=0.25)
    with hps.conditional_scope("kind", ["b"]):
        hps.Int("n", 1, 4)
    return hps


class Calls(keras_tuner.Tuner):  # type: ignore[misc]  # KerasTuner has no types
    """A tuner of KerasTuner whose trials call a function."""

    def __init__(self, oracle: StudyOracle, folder: Path, call: Callable[[Any], Any]) -> None:
        self._call = call
        super().__init__(oracle, directory=str(folder), project_name="project")

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> Any:
        return self._call(trial.hyperparameters)


def new_oracle(folder: Path, max_trials: int = 6, **arguments: Any) -> StudyOracle:
    journal = Journal(folder / "journal.jsonl")
    objective = keras_tuner.Objective("accuracy", "max")
    known = {"objective": objective, "hyperparameters": space(), "journal": journal}
    return StudyOracle(max_trials=max_trials, **{**known, **arguments})


def in_thread(work: Callable[[], Any]) -> None:
    """Fails where `work` hangs."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_01_a_missing_tensorboard_fails_no_trial(
    task: Task, splits: Splits, make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuner = StudyTuner(new_oracle(tmp_path), task, splits, make_plan(), discover=False)
    trial = tuner.oracle.create_trial("a")
    monkeypatch.setattr("keras_tuner.src.backend.config.backend", lambda: "tensorflow")
    for name in ("tensorboard", "tensorboard.plugins", "tensorboard.plugins.hparams"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="tensorboard"):
        keras_tuner.Tuner._configure_tensorboard_dir(tuner, [], trial)
    tuner._configure_tensorboard_dir([], trial)


def test_02_an_exception_inside_the_oracle_leaves_no_lock_held(tmp_path: Path) -> None:
    oracle = new_oracle(tmp_path)

    def fail() -> None:
        with pytest.raises(KeyError):
            oracle.update_trial("no such trial", {"accuracy": 1.0})

    in_thread(fail)
    in_thread(lambda: oracle.create_trial("a"))
    assert list(oracle.trials) == ["0"]


def test_03_failures_in_a_row_and_dead_workers_do_not_keep_a_search_from_its_end(tmp_path: Path) -> None:
    def fail(hps: Any) -> float:
        raise RuntimeError("again")

    oracle = new_oracle(tmp_path)
    in_thread(Calls(oracle, tmp_path, fail).search)
    assert [record.state for record in oracle.records.values()] == ["failed"] * 6

    dying = new_oracle(tmp_path / "dying", 2)
    count = 0
    while (trial := dying.create_trial("a")).status == "RUNNING":
        dying.lose_trial(trial.trial_id)
        count += 1
    assert count == 6  # each of two trials was given to three workers
    assert dying.ongoing_trials == {}


def test_04_nobody_is_told_to_ask_again_at_once(tmp_path: Path) -> None:
    oracle = new_oracle(tmp_path, 3)
    statuses = [oracle.create_trial(f"tuner{number}").status for number in range(6)]
    assert statuses == ["RUNNING"] * 3 + ["STOPPED"] * 3  # never IDLE, although all are still at work


def test_05_an_infinite_loss_is_not_the_best_of_all(tmp_path: Path) -> None:
    oracle = new_oracle(tmp_path, 60, objective=keras_tuner.Objective("val_loss", "min"))
    tuner = Calls(oracle, tmp_path, lambda hps: math.inf if hps["x"] > 0.5 else hps["x"] + 1)
    tuner.search()
    asked = [trial.hyperparameters.values["x"] > 0.5 for trial in oracle.trials.values()]
    assert sum(asked[30:]) < 8  # of thirty
    assert all(math.isfinite(trial.score) for trial in oracle.get_best_trials(60))


def test_06_no_configuration_is_tried_twice(tmp_path: Path) -> None:
    hps = keras_tuner.HyperParameters()
    hps.Choice("a", ["x", "y"])
    hps.Boolean("b")
    with hps.conditional_scope("a", ["x"]):
        hps.Int("c", 1, 3)
    oracle = new_oracle(tmp_path, 50, hyperparameters=hps)
    Calls(oracle, tmp_path, lambda hps: 0.5).search()  # nothing to learn: a sampler would repeat itself
    tried = [tuple(sorted(trial.hyperparameters.values.items())) for trial in oracle.trials.values()]
    assert len(set(tried)) == len(tried) == 8


@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")  # KerasTuner's names of threads
def test_06_a_suggestion_of_a_model_costs_a_fraction_of_keras_tuners(tmp_path: Path) -> None:
    hps = keras_tuner.HyperParameters()
    for number in range(5):
        hps.Float(f"x{number}", 0.0, 1.0)
    started = 6  # then both answer from a Gaussian process

    def cpu_seconds(oracle: Any, suggestions: int) -> float:
        for _ in range(started):
            end(oracle, oracle.create_trial("a"))
        first = time.process_time()
        for _ in range(suggestions):
            end(oracle, oracle.create_trial("a"))
        return (time.process_time() - first) / suggestions

    def end(oracle: Any, trial: Trial) -> None:
        score = sum((trial.hyperparameters[f"x{number}"] - 0.4) ** 2 for number in range(5))
        oracle.update_trial(trial.trial_id, {"loss": score})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)

    objective = keras_tuner.Objective("loss", "min")
    theirs = keras_tuner.oracles.BayesianOptimizationOracle(
        objective, max_trials=15, num_initial_points=started, hyperparameters=hps.copy(), seed=1
    )
    theirs._set_project_dir(str(tmp_path), "theirs")
    theirs.verbose = 0
    ours = new_oracle(tmp_path, 15, objective=objective, hyperparameters=hps.copy())
    with threadpool_limits(1):
        assert cpu_seconds(ours, 3) < 0.5 * cpu_seconds(theirs, 1)


def test_07_several_objectives_are_not_added_up_and_a_dict_of_them_is_enough(tmp_path: Path) -> None:
    objectives = [keras_tuner.Objective("accuracy", "max"), keras_tuner.Objective("bytes", "min")]
    oracle = new_oracle(tmp_path, 12, objective=objectives)
    Calls(oracle, tmp_path, lambda hps: {"accuracy": hps["x"], "bytes": 1e6 * hps["x"] ** 2}).search()
    assert all(record.state == "completed" for record in oracle.records.values())
    assert len(oracle.get_pareto_trials()) == 12  # more accurate is larger, so each of them is worth something
    assert oracle.get_best_trials()[0].score == max(trial.score for trial in oracle.trials.values())


def test_08_failed_trials_take_no_place_at_a_rung(tmp_path: Path) -> None:
    metrics = [(number * 17 % 30) / 30 for number in range(30)]

    def epochs_of(name: str, *, failures: bool) -> list[int]:
        oracle = new_oracle(tmp_path / name, 60 if failures else 30, rungs=Rungs(10))
        reached: dict[str, int] = {}
        while (trial := oracle.create_trial("a")).status == "RUNNING":
            if failures and trial.trial_id not in reached and len(oracle.trials) % 2:
                trial.status = "FAILED"
                oracle.end_trial(trial)
                continue
            metric = metrics[list(reached).index(trial.trial_id) if trial.trial_id in reached else len(reached)]
            while trial.status == "RUNNING" and reached.get(trial.trial_id, 0) < 10:
                reached[trial.trial_id] = reached.get(trial.trial_id, 0) + 1
                oracle.update_trial(trial.trial_id, {"val_accuracy": metric}, step=reached[trial.trial_id])
            if trial.status == "RUNNING":
                oracle.update_trial(trial.trial_id, {"accuracy": metric})
                trial.status = "COMPLETED"
            oracle.end_trial(trial)
        return list(reached.values())

    expected = epochs_of("none", failures=False)
    assert epochs_of("half", failures=True) == expected
    assert {1, 3, 10} <= set(expected)  # some waited for good at each rung, and some went through


def test_09_a_trial_that_goes_on_keeps_its_optimizer(task: Task, splits: Splits, make_plan: MakePlan) -> None:
    steps: list[int] = []

    def note(model: Any, epoch: int, accuracy: float) -> bool:
        steps.append(int(model.optimizer.iterations.value))
        return epoch < 3  # then it has shown enough

    hps = keras_tuner.HyperParameters()
    hps.values = {"units": 16, "batch_size": 64}
    plan = make_plan(max_epochs=4)
    record = execute(TaskHyperModel(task, splits, 4), hps, "0", plan, splits, warm=False, on_epoch=note)
    assert record.epochs == 3
    assert steps == [10, 20, 30]


def test_10_an_empty_space_at_first_does_not_end_the_search(tmp_path: Path) -> None:
    oracle = new_oracle(tmp_path, 6, hyperparameters=None)
    Calls(oracle, tmp_path, lambda hps: hps.Float("found", 0.0, 1.0)).search()
    assert len({trial.hyperparameters.values["found"] for trial in oracle.trials.values()}) == 6


def test_11_threads_share_an_oracle_and_none_sees_a_trial_that_is_half_ended(tmp_path: Path) -> None:
    oracle = new_oracle(tmp_path, 40)
    raised: list[BaseException] = []

    def work(number: int) -> None:
        try:
            while (trial := oracle.create_trial(f"tuner{number}")).status == "RUNNING":
                oracle.update_trial(trial.trial_id, {"accuracy": 0.5})
                trial.status = "COMPLETED"  # ahead of its score, as `BaseTuner` does it
                assert all(best.score is not None for best in oracle.get_best_trials(50))
                oracle.end_trial(trial)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE_SECONDS)
        assert not thread.is_alive()
    assert raised == []
    assert len(oracle.records) == 40


def test_12_a_file_that_was_cut_at_any_byte_can_be_read(tmp_path: Path) -> None:
    oracle = new_oracle(tmp_path, 2)
    Calls(oracle, tmp_path, lambda hps: 0.5).search()
    path = tmp_path / "journal.jsonl"
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        again = new_oracle(tmp_path, 2)
        again.reload()
        assert set(again.records) <= set(oracle.records)
        assert all(again.records[trial_id] == oracle.records[trial_id] for trial_id in again.records)


def test_13_a_trial_that_has_ended_is_not_run_again_by_the_next_process(tmp_path: Path) -> None:
    oracle = new_oracle(tmp_path)
    first, second = oracle.create_trial("a"), oracle.create_trial("b")
    oracle.update_trial(first.trial_id, {"accuracy": 0.5})
    first.status = "COMPLETED"
    oracle.end_trial(first)  # killed right after this
    again = new_oracle(tmp_path)
    given = [again.create_trial(f"tuner{number}").trial_id for number in range(5)]
    assert given == [second.trial_id, "2", "3", "4", "5"]


def test_14_the_traceback_of_a_failure_reaches_the_next_process(tmp_path: Path) -> None:
    # That it reaches the driver from a worker, too: test_search.py, test_a_trial_may_fail...
    def fail(hps: Any) -> float:
        raise RuntimeError("no such layer")

    Calls(new_oracle(tmp_path, 1), tmp_path, fail).search()
    again = new_oracle(tmp_path, 1)
    again.reload()
    assert "Traceback" in again.trials["0"].message
    assert "RuntimeError: no such layer" in again.trials["0"].message
    assert again.records["0"].error == again.trials["0"].message


def test_15_a_search_that_goes_on_does_not_draw_again_what_it_drew_at_its_beginning(tmp_path: Path) -> None:
    drawn: list[float] = []

    def note(hps: Any) -> float:
        drawn.append(hps["x"])
        return float(hps["x"])

    for most in (5, 10):
        Calls(new_oracle(tmp_path, most), tmp_path, note).search()
    assert len(set(drawn)) == len(drawn) == 10


def test_15_seed_zero_is_a_seed(tmp_path: Path) -> None:
    def draw(name: str, seed: int) -> list[dict[str, Any]]:
        oracle = new_oracle(tmp_path / name, 10, seed=seed)
        Calls(oracle, tmp_path / name, lambda hps: hps["x"]).search()
        return [dict(trial.hyperparameters.values) for trial in oracle.trials.values()]

    assert draw("a", 0) == draw("b", 0) != draw("c", 1)


def test_16_what_only_fit_asks_for_is_searched_from_the_first_trial_on(
    task: Task, splits: Splits, make_plan: MakePlan, tmp_path: Path
) -> None:
    class WithFit(type(task)):  # type: ignore[misc]  # the class is known at run time only
        def fit(self, hp: Any, model: Any, train: Any, validation: Any, epochs: int, callbacks: list[Any]) -> None:
            batch_size = hp.Choice("own_batch_size", [20, 40], default=40)
            model.fit(
                train.inputs["image"],
                train.labels,
                batch_size=batch_size,
                epochs=epochs,
                callbacks=callbacks,
                verbose=0,
            )

    oracle = new_oracle(tmp_path, hyperparameters=None)
    StudyTuner(oracle, WithFit(), splits, make_plan())
    trials = [oracle.create_trial(f"tuner{number}") for number in range(6)]
    assert {trial.hyperparameters.values["own_batch_size"] for trial in trials} == {20, 40}


@pytest.mark.usefixtures("_cheap_garbage")
def test_16_so_it_is_behind_keras_tuners_face(tmp_path: Path) -> None:
    import keras

    class WithFit(keras_tuner.HyperModel):  # type: ignore[misc]  # KerasTuner has no types
        def build(self, hp: Any) -> Any:
            model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            return model

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            kind = hp.Choice("kind", ["a", "b"])
            with hp.conditional_scope("kind", ["b"]):
                if kind == "b":
                    hp.Int("only_of_b", 1, 4)
            return model.fit(*args, batch_size=hp.Choice("batch_size", [20, 40]), **kwargs)

    known: list[set[str]] = []

    class Noting(Tuner):
        def on_trial_begin(self, trial: Any) -> None:
            known.append({hp.name for hp in self.oracle.get_space().space})

    rows = np.zeros((40, 2), np.float32)
    tuner = Noting(WithFit(), "val_loss", max_trials=1, directory=tmp_path)
    tuner.search(rows, rows[:, :1], validation_data=(rows, rows[:, :1]), verbose=0)
    assert known == [{"kind", "only_of_b", "batch_size"}]
