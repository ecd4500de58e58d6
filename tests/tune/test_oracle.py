"""The oracle by itself: no model, no process."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial

from tune import StudyOracle, TrialRecord
from tune.journal import Journal, read_entries
from tune.proposal import FINE_TUNE, Proposal
from tune.rungs import Rungs

_PATIENCE_SECONDS = 60.0


def numbers() -> keras_tuner.HyperParameters:
    hps = keras_tuner.HyperParameters()
    hps.Choice("kind", ["a", "b"])  # conditional: the quick sampler
    hps.Float("x", 0.0, 1.0, default=0.5)
    with hps.conditional_scope("kind", ["b"]):
        hps.Int("n", 1, 4)
    return hps


Open = Callable[..., StudyOracle]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def open_oracle(path: Path) -> Iterator[Open]:
    """Opens an oracle on the journal; again, as a process does that was started anew."""
    journals: list[Journal] = []

    def make(max_trials: int = 6, **arguments: Any) -> StudyOracle:
        journals.append(Journal(path))
        return StudyOracle(
            **{
                "objective": keras_tuner.Objective("accuracy", "max"),
                "max_trials": max_trials,
                "hyperparameters": numbers(),
                "journal": journals[-1],
                **arguments,
            }
        )

    yield make
    for journal in journals:
        journal.close()


def end(oracle: StudyOracle, trial: Trial, score: float = 0.5, **metrics: float) -> None:
    """As a tuner of KerasTuner does it."""
    oracle.update_trial(trial.trial_id, {oracle.objective.name: score, **metrics})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def reject(oracle: StudyOracle, trial: Trial) -> None:
    oracle.end_trial(trial, TrialRecord(trial.trial_id, dict(trial.hyperparameters.values), "rejected"))


def run_all(oracle: StudyOracle, score: Callable[[dict[str, Any]], float] = lambda values: values["x"]) -> list[Trial]:
    trials = []
    while (trial := oracle.create_trial("tuner")).status == "RUNNING":
        end(oracle, trial, score(trial.hyperparameters.values))
        trials.append(trial)
    return trials


def values_of(trials: list[Trial]) -> list[dict[str, Any]]:
    return [dict(trial.hyperparameters.values) for trial in trials]


def state_of(oracle: StudyOracle) -> dict[str, Any]:
    """All that must be the same in a process that was started anew."""
    ongoing = [trial.trial_id for trial in oracle.ongoing_trials.values()]
    return {
        "trials": {
            trial_id: (trial.hyperparameters.values, trial.score, trial.message)
            for trial_id, trial in oracle.trials.items()
        },
        "statuses": {trial_id: trial.status for trial_id, trial in oracle.trials.items() if trial_id in oracle.records},
        "records": oracle.records,
        "order": (oracle.start_order, oracle.end_order),
        "space": oracle.get_space().get_config()["space"],
        "remaining": oracle.remaining_trials(),
        "origins": {trial_id: oracle.origin(trial_id) for trial_id in oracle.trials},
        "attempts": {trial_id: oracle.attempts(trial_id) for trial_id in oracle.trials},
        "unended": sorted({*oracle._waiting, *ongoing}, key=int),
        "best": [trial.trial_id for trial in oracle.get_best_trials(99)],
    }


# --- as a KerasTuner oracle ---------------------------------------------------------------------------------------


class Quadratic(keras_tuner.Tuner):  # type: ignore[misc]  # KerasTuner has no types
    """Asks for its hyperparameter in the first trial only, as KerasTuner's guide shows it."""

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> float:
        x = trial.hyperparameters.Float("x", -2.0, 2.0)
        return -float((x - 1.0) ** 2)


def tune(folder: Path, max_trials: int, **arguments: Any) -> Quadratic:
    oracle = StudyOracle(keras_tuner.Objective("score", "max"), max_trials, **arguments)
    tuner = Quadratic(oracle, directory=str(folder), project_name="quadratic")
    tuner.search()
    return tuner


def test_behind_a_tuner_of_keras_tuner_it_searches_and_finds(tmp_path: Path) -> None:
    tuner = tune(tmp_path, 12)
    assert len(tuner.oracle.trials) == 12
    assert all(trial.status == "COMPLETED" for trial in tuner.oracle.trials.values())
    (best,) = tuner.get_best_hyperparameters()
    scores = [trial.score for trial in tuner.oracle.trials.values()]
    assert best["x"] == pytest.approx(1.0, abs=0.05)  # learned, though the first trial did not know of it
    assert tuner.oracle.get_best_trials()[0].score == max(scores)


def test_a_project_that_is_opened_again_goes_on_where_it_was(tmp_path: Path) -> None:
    first = tune(tmp_path, 3)
    known = values_of(list(first.oracle.trials.values()))
    assert known[0] == {"x": -2.0}  # not known before the trial ran
    second = tune(tmp_path, 5)
    assert values_of(list(second.oracle.trials.values()))[:3] == known
    assert list(second.oracle.trials) == ["0", "1", "2", "3", "4"]


def test_without_an_objective_it_is_accuracy_and_larger_is_better(open_oracle: Open) -> None:
    oracle = open_oracle()
    assert (oracle.objective.name, oracle.objective.direction) == ("accuracy", "max")
    run_all(oracle)
    scores = [trial.score for trial in oracle.get_best_trials(6)]
    assert scores == sorted(scores, reverse=True)


def test_a_smaller_objective_may_be_the_better_one(open_oracle: Open) -> None:
    oracle = open_oracle(objective="val_loss")
    run_all(oracle)
    scores = [trial.score for trial in oracle.get_best_trials(6)]
    assert scores == sorted(scores)


def test_of_an_objective_reported_after_every_epoch_the_best_value_is_the_score(open_oracle: Open) -> None:
    oracle = open_oracle()
    trial = oracle.create_trial("tuner")
    for epoch, accuracy in enumerate([0.2, 0.8, 0.6]):
        oracle.update_trial(trial.trial_id, {"accuracy": accuracy}, step=epoch)
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    assert oracle.trials["0"].score == 0.8


def test_a_tuner_that_asks_twice_gets_the_trial_it_has(open_oracle: Open) -> None:
    oracle = open_oracle()
    assert oracle.create_trial("a") is oracle.create_trial("a")
    assert oracle.create_trial("b").trial_id == "1"


def test_a_trial_may_come_back_as_another_object(open_oracle: Open) -> None:
    oracle = open_oracle()
    trial = oracle.create_trial("tuner")
    oracle.update_trial(trial.trial_id, {"accuracy": 0.7})
    copy = Trial.from_state(trial.get_state())
    copy.status, copy.message = "COMPLETED", None
    copy.hyperparameters.Int("late", 1, 9)
    oracle.end_trial(copy)
    assert oracle.get_best_trials()[0].score == 0.7
    assert oracle.records["0"].hyperparameters["late"] == 1
    assert "late" in {hp.name for hp in oracle.get_space().space}


def test_metrics_without_the_objective_are_refused(open_oracle: Open) -> None:
    oracle = open_oracle()
    trial = oracle.create_trial("tuner")
    with pytest.raises(ValueError, match="accuracy"):
        oracle.update_trial(trial.trial_id, {"loss": 0.5})


def test_a_second_end_of_a_trial_changes_nothing(open_oracle: Open, path: Path) -> None:
    oracle = open_oracle()
    trial = oracle.create_trial("tuner")
    end(oracle, trial, 0.5)
    trial.status = "FAILED"
    oracle.end_trial(trial)
    assert oracle.records["0"].state == "completed"
    assert sum(entry["event"] == "ended" for entry in read_entries(path)[0]) == 1


# --- what is tried ------------------------------------------------------------------------------------------------


def test_the_same_values_never_come_twice(open_oracle: Open) -> None:
    hps = keras_tuner.HyperParameters()
    hps.Int("a", 1, 4)
    hps.Choice("b", ["x", "y"])
    oracle = open_oracle(max_trials=100, hyperparameters=hps, objective=keras_tuner.Objective("score", "max"))
    found = values_of(run_all(oracle, lambda values: float(values["a"])))
    assert len({tuple(sorted(values.items())) for values in found}) == len(found) == 8


def test_a_space_that_is_used_up_ends_the_search(open_oracle: Open) -> None:
    hps = keras_tuner.HyperParameters()
    hps.Boolean("flag")
    oracle = open_oracle(max_trials=10, hyperparameters=hps)
    assert len(run_all(oracle, lambda values: float(values["flag"]))) == 2
    assert oracle.create_trial("tuner").status == "STOPPED"
    assert oracle.remaining_trials() == 8


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_gives_the_same_trials_and_zero_is_one(tmp_path: Path, seed: int) -> None:
    def draw(name: str, given: int) -> list[dict[str, Any]]:
        journal = Journal(tmp_path / name)
        oracle = StudyOracle(
            keras_tuner.Objective("accuracy", "max"),
            max_trials=12,
            hyperparameters=numbers(),
            seed=given,
            journal=journal,
        )
        found = values_of(run_all(oracle))
        journal.close()
        return found

    first = draw("first", seed)
    assert draw("second", seed) == first
    assert draw("third", seed + 1) != first


def test_enqueued_values_go_first_and_fall_back_where_the_space_has_none_such(open_oracle: Open) -> None:
    oracle = open_oracle(enqueue=[{"x": 0.25, "kind": "b", "n": 3}, {"x": 7.0, "kind": "c", "gone": 1}])
    first, second = oracle.create_trial("a"), oracle.create_trial("b")
    assert values_of([first, second]) == [{"kind": "b", "x": 0.25, "n": 3}, {"kind": "a", "x": 0.5}]
    assert [oracle.origin(trial) for trial in ("0", "1")] == ["warm start", "warm start"]
    oracle.create_trial("c")
    assert oracle.origin("2") == "sampler"  # the defaults were tried already


# --- how a trial ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["accuracy", "val_accuracy"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_objective_that_is_no_number_is_a_failure(open_oracle: Open, name: str, bad: float) -> None:
    oracle = open_oracle(objective=keras_tuner.Objective(name, "max"))
    end(oracle, oracle.create_trial("tuner"), bad)
    assert oracle.trials["0"].status == "FAILED"
    assert f"{name} = {bad}" in str(oracle.records["0"].error)
    assert oracle.get_best_trials(5) == []
    assert state_of(open_oracle(objective=keras_tuner.Objective(name, "max")))["remaining"] == 6
    again = open_oracle(objective=keras_tuner.Objective(name, "max"))
    again.reload()
    assert again.records == oracle.records


def test_another_metric_that_is_no_number_does_no_harm(open_oracle: Open) -> None:
    oracle = open_oracle()
    end(oracle, oracle.create_trial("tuner"), 0.5, loss=math.nan, size=3.0)
    assert oracle.records["0"].state == "completed"
    assert oracle.records["0"].metrics == {"size": 3.0}


def test_a_trial_that_raised_keeps_its_message_and_is_not_among_the_best(open_oracle: Open) -> None:
    oracle = open_oracle()
    trial = oracle.create_trial("tuner")
    trial.status, trial.message = "INVALID", "Traceback: no such layer"
    oracle.end_trial(trial)
    end(oracle, oracle.create_trial("tuner"), 0.1)
    assert [trial.trial_id for trial in oracle.get_best_trials(5)] == ["1"]
    assert oracle.trials["0"].status == "FAILED"
    assert oracle.trials["0"].message == "Traceback: no such layer"


def test_of_a_list_of_objectives_the_first_ranks_and_none_is_added_up(open_oracle: Open) -> None:
    objectives = [keras_tuner.Objective("accuracy", "max"), keras_tuner.Objective("seconds", "min")]
    oracle = open_oracle(objective=objectives, max_trials=4)
    for accuracy, seconds in [(0.9, 9.0), (0.8, 1.0), (0.7, 5.0), (0.95, 9.5)]:
        end(oracle, oracle.create_trial("tuner"), accuracy, seconds=seconds)
    assert [trial.score for trial in oracle.get_best_trials(4)] == [0.95, 0.9, 0.8, 0.7]
    assert [trial.trial_id for trial in oracle.get_pareto_trials()] == ["3", "0", "1"]  # "2" is beaten by "1"


def test_a_missing_further_objective_is_a_failure(open_oracle: Open) -> None:
    oracle = open_oracle(objective=["val_accuracy", "val_loss"])
    end(oracle, oracle.create_trial("tuner"), 0.9)
    assert oracle.records["0"].state == "failed"
    assert "val_loss = None" in str(oracle.records["0"].error)


def test_rejected_trials_do_not_count_until_they_are_too_many(open_oracle: Open) -> None:
    oracle = open_oracle(max_trials=3)
    for _ in range(4):
        reject(oracle, oracle.create_trial("tuner"))
        assert oracle.remaining_trials() == 3
    assert len(run_all(oracle)) == 3


def test_a_space_with_nothing_small_enough_ends_the_search_too(open_oracle: Open) -> None:
    oracle = open_oracle(max_trials=3)
    while (trial := oracle.create_trial("tuner")).status == "RUNNING":
        reject(oracle, trial)
    assert len(oracle.trials) == 9  # three that count, and twice as many that do not


# --- rungs --------------------------------------------------------------------------------------------------------


def race(oracle: StudyOracle, epochs: int = 5, limit: int = 1000) -> list[tuple[str, int]]:
    """Runs all trials, each as good as its `x`; returns who was handed out, and after how many epochs it stopped."""
    done: dict[str, int] = {}
    found: list[tuple[str, int]] = []
    while len(found) < limit and (trial := oracle.create_trial("tuner")).status == "RUNNING":
        name, x = trial.trial_id, trial.hyperparameters.values["x"]
        while trial.status == "RUNNING" and done.get(name, 0) < (oracle.epochs(name) or epochs):
            done[name] = done.get(name, 0) + 1
            oracle.update_trial(name, {"val_accuracy": x}, step=done[name])
        found.append((name, done[name]))
        if trial.status == "RUNNING":
            end(oracle, trial, x)
        else:
            oracle.end_trial(trial)
    return found


def test_at_a_rung_a_trial_waits_until_it_is_among_the_best(open_oracle: Open) -> None:
    oracle = open_oracle(rungs=Rungs(5))
    for x in (0.7, 0.6, 0.4, 0.5):
        trial = oracle.create_trial("tuner")
        assert oracle.update_trial(trial.trial_id, {"val_accuracy": x}, step=1).status == "STOPPED"
        oracle.end_trial(trial)
        assert trial.trial_id not in oracle.records
    assert [(record.trial_id, record.epochs) for record in oracle.paused()] == [("0", 1), ("1", 1), ("3", 1), ("2", 1)]
    trial = oracle.create_trial("tuner")
    assert (trial.trial_id, trial.status) == ("0", "RUNNING")
    assert oracle.update_trial("0", {"val_accuracy": 0.7}, step=2).status == "RUNNING"


def test_three_complete_however_few_there_are_and_the_others_are_pruned(open_oracle: Open) -> None:
    oracle = open_oracle(max_trials=6, rungs=Rungs(5))
    race(oracle)
    states = {trial_id: record.state for trial_id, record in oracle.records.items()}
    assert sorted(states.values()) == ["completed"] * 3 + ["pruned"] * 3
    worst = [record.rung_metric for record in oracle.records.values() if record.state == "pruned"]
    assert max(map(float, filter(None, worst))) <= min(trial.score for trial in oracle.get_best_trials(3))


def test_a_spent_budget_starts_nothing_and_takes_the_best_as_they_are(open_oracle: Open) -> None:
    oracle = open_oracle(max_trials=50, rungs=Rungs(9), max_total_epochs=20)
    handed = race(oracle, epochs=9)
    spent = sum(max(epoch for name, epoch in handed if name == trial) for trial in {name for name, _ in handed})
    assert spent == 20
    completed = [record for record in oracle.records.values() if record.state == "completed"]
    assert len(completed) >= 3
    assert max(trial.hyperparameters.values["x"] for trial in oracle.trials.values()) == max(
        record.hyperparameters["x"] for record in completed
    )


def test_several_objectives_are_raced_by_fronts(open_oracle: Open) -> None:
    objectives = [keras_tuner.Objective("accuracy", "max"), keras_tuner.Objective("size_bytes", "min")]
    arguments: dict[str, Any] = {"objective": objectives, "rungs": Rungs(5)}
    oracle = open_oracle(**arguments)
    for accuracy, size in ((0.9, 9e6), (0.8, 9e6), (0.5, 1e3), (0.4, 2e3)):
        trial = oracle.create_trial("tuner")
        oracle.update_trial(trial.trial_id, {"val_accuracy": accuracy, "size_bytes": size}, step=1)
        oracle.end_trial(trial)
    order = ["0", "2", "1", "3"]  # the small one beats the one that is merely more accurate than it
    assert [record.trial_id for record in oracle.paused()] == order
    again = open_oracle(**{**arguments, "rungs": Rungs(5)})
    again.reload()
    assert [record.trial_id for record in again.paused()] == order


def test_where_a_checkpoint_is_gone_a_trial_may_be_trained_again_to_where_it_was(open_oracle: Open) -> None:
    oracle = open_oracle(max_trials=50, rungs=Rungs(9), max_total_epochs=4)
    handed = [name for name, _ in race(oracle, epochs=9, limit=5)]
    assert oracle.epochs(handed[-1]) == 1
    assert oracle.update_trial(handed[-1], {"val_accuracy": 0.5}, step=1).status != "STOPPED"


@pytest.mark.parametrize("arguments", [{}, {"max_total_epochs": 18}])
def test_a_race_goes_on_where_it_was_killed(open_oracle: Open, path: Path, arguments: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"max_trials": 8, "rungs": Rungs(9), **arguments}
    race(open_oracle(**settings), epochs=9)
    lines = path.read_bytes().splitlines(keepends=True)
    assert {b"paused", b"resumed"} <= {word for line in lines for word in line.split(b'"')}
    for count in range(3, len(lines), len(lines) // 4):
        path.write_bytes(b"".join(lines[:count]))
        oracle = open_oracle(**{**settings, "rungs": Rungs(9)})
        race(oracle, epochs=9)
        ended = [entry["record"]["trial_id"] for entry in read_entries(path)[0] if entry["event"] == "ended"]
        assert sorted(ended, key=int) == list(oracle.trials)
        assert sum(record.state == "completed" for record in oracle.records.values()) >= 3


def test_a_rung_metric_that_is_no_number_stops_its_trial(open_oracle: Open) -> None:
    oracle = open_oracle(rungs=Rungs(5))
    trial = oracle.create_trial("tuner")
    assert oracle.update_trial(trial.trial_id, {"val_accuracy": math.nan}, step=1).status == "STOPPED"
    oracle.end_trial(trial)
    assert oracle.records["0"].state == "pruned"
    again = open_oracle(rungs=Rungs(5))
    again.reload()
    assert again.records == oracle.records


def test_a_fine_tuned_trial_is_neither_paused_nor_a_measure_for_others(open_oracle: Open) -> None:
    queue = [Proposal({"x": number / 10}, FINE_TUNE) for number in range(4)]
    oracle = open_oracle(rungs=Rungs(5), enqueue=queue, max_trials=8)
    for tuner, metric in zip("abcd", [0.9, 0.8, 0.7, 0.1], strict=True):
        trial = oracle.create_trial(tuner)
        assert oracle.update_trial(trial.trial_id, {"val_accuracy": metric}, step=1).status == "RUNNING"
    statuses = []
    for tuner, metric in zip("efgh", [0.05, 0.05, 0.05, 0.06], strict=True):
        trial = oracle.create_trial(tuner)
        statuses.append(oracle.update_trial(trial.trial_id, {"val_accuracy": metric}, step=1).status)
    assert statuses == ["STOPPED"] * 3 + ["RUNNING"]  # the best quarter among themselves


# --- lost workers -------------------------------------------------------------------------------------------------


def test_a_trial_that_lost_its_worker_comes_again_under_the_same_id(open_oracle: Open) -> None:
    oracle = open_oracle()
    trial = oracle.create_trial("a")
    oracle.create_trial("b")
    assert oracle.lose_trial(trial.trial_id) is None
    again = oracle.create_trial("c")
    assert again.trial_id == trial.trial_id
    assert again.hyperparameters.values == trial.hyperparameters.values
    assert oracle.attempts(trial.trial_id) == 2


def test_a_trial_that_loses_three_workers_fails(open_oracle: Open) -> None:
    oracle = open_oracle()
    for _ in range(2):
        assert oracle.lose_trial(oracle.create_trial("a").trial_id) is None
    failed = oracle.lose_trial(oracle.create_trial("a").trial_id)
    assert failed is not None
    assert (failed.trial_id, failed.state) == ("0", "failed")
    assert "died 3 times" in str(failed.error)
    assert oracle.create_trial("a").trial_id == "1"


def test_losses_are_counted_over_restarts(open_oracle: Open) -> None:
    for _ in range(2):
        oracle = open_oracle()
        assert oracle.lose_trial(oracle.create_trial("a").trial_id) is None
    oracle = open_oracle()
    assert oracle.lose_trial(oracle.create_trial("a").trial_id) is not None


@pytest.mark.parametrize("restart", [False, True])
def test_a_trial_that_dies_after_it_was_told_to_stop_is_not_lost(open_oracle: Open, restart: bool) -> None:
    oracle = open_oracle(rungs=Rungs(5))
    for tuner, metric in zip("abc", [0.5, 0.6, 0.4], strict=True):
        trial = oracle.create_trial(tuner)
        oracle.update_trial(trial.trial_id, {"val_accuracy": metric}, step=1)
    assert oracle.trials["2"].status == "STOPPED"
    if restart:
        oracle = open_oracle(rungs=Rungs(5))
        ids = [oracle.create_trial(tuner).trial_id for tuner in "abc"]
        assert ids == ["0", "1", "2"]
    else:
        oracle.lose_trial("2")
        assert oracle.create_trial("c").trial_id == "2"
    trial = oracle.trials["2"]
    assert trial.status == "RUNNING"
    assert oracle.update_trial("2", {"val_accuracy": 0.4}, step=1).status == "STOPPED"


# --- the journal --------------------------------------------------------------------------------------------------


def eventful(oracle: StudyOracle) -> None:
    """One trial of every kind, and hyperparameters that appear late."""
    for tuner, metric in zip("abcde", [0.5, 0.6, 0.4, 0.7, 0.55], strict=True):
        trial = oracle.create_trial(tuner)
        oracle.update_trial(trial.trial_id, {"val_accuracy": metric}, step=1)
    trials = oracle.trials
    oracle.end_trial(trials["2"])  # pruned
    trials["0"].hyperparameters.Int("late", 1, 9)
    end(oracle, trials["0"], 0.8, val_loss=0.3)
    trials["1"].status, trials["1"].message = "FAILED", "no memory"
    oracle.end_trial(trials["1"])
    oracle.end_trial(trials["3"], TrialRecord("3", {"kind": "a", "x": 0.1}, "rejected", error="too large"))
    oracle.lose_trial("4")
    oracle.create_trial("f")


def test_a_replay_gives_the_same_state(open_oracle: Open) -> None:
    arguments: dict[str, Any] = {"enqueue": [{"x": 0.2}], "max_trials": 8}
    oracle = open_oracle(rungs=Rungs(5), **arguments)
    eventful(oracle)
    again = open_oracle(rungs=Rungs(5), **arguments)
    again.reload()
    assert state_of(again) == state_of(oracle)
    assert state_of(again)["unended"] == ["4"]
    stop = oracle.update_trial("4", {"val_accuracy": 0.5}, step=1).status
    assert again.update_trial("4", {"val_accuracy": 0.5}, step=1).status == stop == "STOPPED"


def test_killed_after_any_entry_no_trial_is_lost_and_none_comes_twice(
    open_oracle: Open, path: Path, tmp_path: Path
) -> None:
    eventful(open_oracle(rungs=Rungs(5), max_trials=8))
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) > 12
    for count in range(len(lines) + 1):
        path.write_bytes(b"".join(lines[:count]) + b'{"event":"ended","rec')  # and the next one is torn
        oracle = open_oracle(rungs=Rungs(5), max_trials=8)
        oracle.reload()
        before = dict(oracle.records)
        run_all(oracle)
        started = [entry["trial_id"] for entry in read_entries(path)[0] if entry["event"] == "started"]
        ended = [entry["record"]["trial_id"] for entry in read_entries(path)[0] if entry["event"] == "ended"]
        assert started == [str(number) for number in range(len(started))]
        assert sorted(ended, key=int) == started
        assert {trial_id: oracle.records[trial_id] for trial_id in before} == before
        rejected = sum(record.state == "rejected" for record in oracle.records.values())
        assert len(started) == 8 + rejected
        values = [tuple(sorted(trial.items())) for trial in values_of(list(oracle.trials.values()))]
        assert len(set(values)) == len(values)


# --- threads ------------------------------------------------------------------------------------------------------


def in_threads(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """Runs `work` in threads; fails where one hangs; returns what they raised."""
    raised: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE_SECONDS)
        assert not thread.is_alive(), "a thread hangs"
    return raised


def test_threads_may_share_an_oracle(open_oracle: Open) -> None:
    oracle = open_oracle(max_trials=40, rungs=Rungs(3))
    barrier = threading.Barrier(6)

    def work(number: int) -> None:
        barrier.wait(_PATIENCE_SECONDS)
        while (trial := oracle.create_trial(f"tuner{number}")).status == "RUNNING":
            x = trial.hyperparameters.values["x"]
            if oracle.update_trial(trial.trial_id, {"val_accuracy": x}, step=1).status == "RUNNING":
                oracle.update_trial(trial.trial_id, {"accuracy": x})
                trial.status = "COMPLETED"  # before it has a score, as KerasTuner's tuners do it
            oracle.get_best_trials(3)
            oracle.get_pareto_trials()
            oracle.end_trial(trial)

    assert in_threads(6, work) == []
    assert sorted(oracle.records, key=int) == [str(number) for number in range(40)]
    assert {record.state for record in oracle.records.values()} == {"completed", "pruned"}
    assert oracle.ongoing_trials == {}


def test_a_status_that_is_ahead_of_its_score_confuses_nobody(open_oracle: Open) -> None:
    oracle = open_oracle()
    end(oracle, oracle.create_trial("a"), 0.5)
    ahead = oracle.create_trial("b")
    ahead.status = "COMPLETED"
    assert [trial.trial_id for trial in oracle.get_best_trials(5)] == ["0"]
    assert [trial.trial_id for trial in oracle.get_pareto_trials()] == ["0"]


def test_an_exception_inside_does_not_leave_the_lock_held(open_oracle: Open, path: Path) -> None:
    oracle = open_oracle(allow_new_entries=False)
    trial = oracle.create_trial("a")
    trial.hyperparameters.Int("new", 1, 2)
    trial.status = "FAILED"

    def fail(number: int) -> None:
        with pytest.raises(RuntimeError, match="allow_new_entries"):
            oracle.end_trial(trial)
        with pytest.raises(KeyError):
            oracle.update_trial("99", {"accuracy": 1.0})

    assert in_threads(1, fail) == []
    assert in_threads(1, lambda number: run_all(oracle).clear()) == []
    assert oracle.remaining_trials() == 0


def test_a_journal_that_cannot_be_written_stops_the_call_and_not_the_next_one(
    open_oracle: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = open_oracle()
    oracle.reload()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    def fail(number: int) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                oracle.create_trial("a")

    assert in_threads(1, fail) == []
    assert oracle.trials == {}
    assert in_threads(1, lambda number: run_all(oracle).clear()) == []
    assert sorted(oracle.records) == ["0", "1", "2", "3", "4", "5"]
