"""Scripts of KerasTuner's users, moved over by the names of classes alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import pytest

import tune
from evertune.errors import SearchError
from tests.tune.keras_tuner_scripts import SCRIPTS, moved
from tune.drop_in import Tuner
from tune.epoch_keeper import EpochKeeper

_ROOT = Path(__file__).resolve().parents[2]
_DATA = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
_LABELS = (_DATA[:, 0] > 0).astype("int64")


pytestmark = pytest.mark.usefixtures("_cheap_garbage")


def run_script(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(sys, "argv", ["script", str(folder)])
    names: dict[str, Any] = {}
    exec(compile(text, "script", "exec"), names)
    return names


def check(name: str, found: dict[str, dict[str, Any]], trials: int = 2) -> None:
    """What must be true on every backend."""
    records = list(found["tuner"].values())
    states = Counter(record["state"] for record in records)
    assert states["failed"] == 0
    assert len(records) == trials
    values = [json.dumps(record["hyperparameters"], sort_keys=True) for record in records]
    assert len(set(values)) == len(values)
    if name == "hypermodel":
        assert all({"batch_size", "shuffle"} <= set(record["hyperparameters"]) for record in records)
        assert all(record["epochs"] == 1 for record in records if record["state"] == "pruned")
    if name == "subclass":
        assert all(0.1 <= record["hyperparameters"]["rate"] <= 0.5 for record in records)
        assert {record["metrics"].keys() >= {"val_loss"} for record in records} == {True}
        assert [record["state"] for record in found["loop"].values()] == ["completed"] * 2
        assert all(record["hyperparameters"].keys() == {"rate", "epochs"} for record in found["loop"].values())


@pytest.mark.filterwarnings("ignore:Skipping variable loading:UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_before_and_after_the_move(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = run_script(SCRIPTS[name], tmp_path / "before", monkeypatch)
    before = capsys.readouterr().out
    names = run_script(moved(SCRIPTS[name]), tmp_path / "after", monkeypatch)
    after = capsys.readouterr().out
    tuner = names["tuner"]
    assert isinstance(tuner, Tuner)
    assert not isinstance(original["tuner"], Tuner)
    assert type(names["best"]) is type(original["best"]) is keras_tuner.HyperParameters
    assert names["model"].count_params() > 0
    for line in ("Search space summary\n", "Results summary\n", "Showing 2 best trials\n", "learning_rate (Float)\n"):
        assert (line in before) == (line in after)
    trials = 4 if name == "hypermodel" else 2
    known = [key for key in ("tuner", "loop") if key in names]
    check(name, {key: {at: each.to_json() for at, each in names[key].oracle.records.items()} for key in known}, trials)


def test_they_run_on_tensorflow_without_tensorboard_and_one_of_them_after_a_kill(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.tune.moved_scripts", str(tmp_path)],
        cwd=_ROOT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["killed"]
    for name, found in told["found"].items():
        check(name, found)
    before, journal = told["journal"][: told["lines_before"]], told["journal"]
    ended, started = trials_of("ended", before), trials_of("started", before)
    assert set(started) - set(ended)  # it was killed in the middle of one
    assert sorted(trials_of("started", journal)) == sorted(trials_of("ended", journal)) == ["0", "1"]


def trials_of(event: str, journal: list[dict[str, Any]]) -> list[str]:
    return [each.get("trial_id") or each["record"]["trial_id"] for each in journal if each["event"] == event]


# --- one trial ----------------------------------------------------------------------------------------------------


def build(hp: Any) -> Any:
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(hp.Choice("units", [2, 3, 4, 5]))])
    model.add(keras.layers.Dropout(0.2))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model


def new_tuner(folder: Path, hypermodel: Any = build, **arguments: Any) -> Tuner:
    defaults = {"objective": "val_loss", "max_trials": 2, "directory": folder, "project_name": "p"}
    return Tuner(hypermodel, **{**defaults, **arguments})


def search(tuner: Tuner, epochs: int = 1, **arguments: Any) -> Tuner:
    tuner.search(_DATA, _LABELS, epochs=epochs, validation_data=(_DATA, _LABELS), verbose=0, **arguments)
    return tuner


def two_stages(model: Any, stop: Callable[[int], None], **arguments: Any) -> Any:
    """Two calls of `Model.fit`, with another learning rate each; `stop` may end the process, as it were."""
    import keras

    note = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: stop(int(model.optimizer.iterations)))
    callbacks = [*arguments.pop("callbacks"), note]
    model.fit(_DATA, _LABELS, epochs=2, callbacks=callbacks, **arguments)
    model.optimizer.learning_rate = 0.001
    return model.fit(_DATA, _LABELS, epochs=3, callbacks=callbacks, **arguments)


@pytest.mark.parametrize("killed_after", [1, 2, 4])
def test_a_trial_goes_on_after_its_last_epoch_with_its_optimizer(tmp_path: Path, killed_after: int) -> None:
    def run(name: str, most: int) -> tuple[list[int], list[float], EpochKeeper]:
        steps: list[int] = []

        def stop(iterations: int) -> None:
            if len(steps) == most:
                raise KeyboardInterrupt
            steps.append(iterations)

        keeper = EpochKeeper(
            tmp_path / f"{name}.npz", keras_tuner.Objective("val_loss", "min"), "seed", lambda *_: True
        )
        keeper.begin()
        model = build(keras_tuner.HyperParameters())
        try:
            history = two_stages(
                model, stop, callbacks=[keeper], validation_data=(_DATA, _LABELS), verbose=0, batch_size=20
            )
        except KeyboardInterrupt:
            return steps, [], keeper
        return steps, history.history["val_loss"], keeper

    whole, losses, _ = run("whole", 99)
    assert whole == [0, 2, 4, 6, 8]
    assert run("killed", killed_after)[0] == whole[:killed_after]
    resumed, again, keeper = run("killed", 99)
    assert resumed == whole[killed_after:]
    assert len(again) == 3  # epochs of the second stage, those before the kill among them
    assert again == pytest.approx(losses, abs=1e-6)
    keeper.write_weights(tmp_path / "found.weights.h5")
    assert (tmp_path / "found.weights.h5").stat().st_size > 0


def test_no_epoch_is_trained_twice_whatever_a_rung_says(tmp_path: Path) -> None:
    steps: dict[str, list[int]] = defaultdict(list)

    class Noting(Tuner):
        def on_epoch_begin(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
            steps[trial.trial_id].append(int(model.optimizer.iterations))

    tuner = Noting(build, "val_loss", max_trials=4, max_epochs=4, factor=2, directory=tmp_path, project_name="p")
    search(tuner, batch_size=20)
    for trial_id, record in tuner.oracle.records.items():
        assert steps[trial_id] == list(range(0, 2 * record.epochs, 2))
        assert (record.epochs < 4) == (record.state == "pruned")
    assert {record.state for record in tuner.oracle.records.values()} == {"completed", "pruned"}


def test_what_takes_no_part_any_more_leaves_the_disk(tmp_path: Path) -> None:
    tuner = search(new_tuner(tmp_path, max_trials=4, kept_models=1))
    assert {record.state for record in tuner.oracle.records.values()} == {"completed"}
    folders = list((tmp_path / "p" / "trials").iterdir())
    assert [folder.name for folder in folders] == [tuner.oracle.get_best_trials()[0].trial_id]
    assert {path.name for path in folders[0].iterdir()} == {"checkpoint.weights.h5", "build_config.json"}
    (model,) = tuner.get_best_models()
    loss, _ = model.evaluate(_DATA, _LABELS, verbose=0)
    assert loss == pytest.approx(tuner.oracle.get_best_trials()[0].score, abs=1e-5)
    with pytest.raises(SearchError, match="kept_models = 1"):
        tuner.get_best_models(2)


def test_a_search_that_has_ended_is_read_again_and_goes_on_with_more_trials(tmp_path: Path) -> None:
    first = search(new_tuner(tmp_path))
    again = new_tuner(tmp_path, max_trials=3)
    assert again.remaining_trials == 1
    assert again.get_best_hyperparameters()[0].values == first.get_best_hyperparameters()[0].values
    search(again)
    assert list(again.oracle.records) == ["0", "1", "2"]
    with pytest.raises(SearchError, match="min val_loss, not for max val_accuracy"):
        new_tuner(tmp_path, objective="val_accuracy")
    assert new_tuner(tmp_path, objective="val_accuracy", overwrite=True).oracle.trials == {}


# --- failures -----------------------------------------------------------------------------------------------------


def test_failures_are_recorded_and_the_search_goes_on(tmp_path: Path) -> None:
    calls: Counter[int] = Counter()

    def sometimes(hp: Any) -> Any:
        units = hp.Choice("units", [2, 3, 4, 5])
        calls[units] += 1
        if units != 4 and sum(calls.values()) > 1:  # the first build only finds the space
            raise MemoryError("out of memory")
        return build(hp)

    tuner = search(new_tuner(tmp_path, sometimes, max_trials=4, max_retries_per_trial=1))
    states = {record.hyperparameters["units"]: record.state for record in tuner.oracle.records.values()}
    assert states == {2: "failed", 3: "failed", 4: "completed", 5: "failed"}
    assert calls == {2: 3, 3: 2, 4: 1, 5: 2}
    assert all("MemoryError: out of memory" in (tuner.oracle.trials[at].message or "") for at in failed(tuner))


def failed(tuner: Tuner) -> list[str]:
    return [record.trial_id for record in tuner.oracle.records.values() if record.state == "failed"]


class Broken(Tuner):
    """Its trials raise what they are told to."""

    error: Exception = ValueError("no such layer")

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        trial.hyperparameters.Float("x", 0.0, 1.0)
        raise self.error


def test_a_search_in_which_nothing_completes_says_so(tmp_path: Path) -> None:
    tuner = Broken(max_trials=3, directory=tmp_path, project_name="p")
    with pytest.raises(SearchError, match="no trial completed; the last: ValueError: no such layer"):
        tuner.search()
    assert failed(tuner) == ["0", "1", "2"]
    few = Broken(max_trials=9, max_consecutive_failed_trials=2, directory=tmp_path, project_name="few")
    with pytest.raises(SearchError, match="2 trials in a row failed"):
        few.search()
    assert failed(few) == ["0", "1"]


def test_an_error_that_is_meant_to_end_the_search_does_and_is_recorded(tmp_path: Path) -> None:
    tuner = Broken(max_trials=3, directory=tmp_path, project_name="p")
    tuner.error = keras_tuner.errors.FatalError("wrong data")
    with pytest.raises(keras_tuner.errors.FatalError, match="wrong data"):
        tuner.search()
    assert failed(tuner) == ["0"]


# --- arguments ----------------------------------------------------------------------------------------------------


def test_without_an_objective_what_a_trial_returns_is_minimized(tmp_path: Path) -> None:
    class Parabola(Tuner):
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> float:
            return float((trial.hyperparameters.Float("x", 0.0, 4.0) - 1.0) ** 2)

    tuner = Parabola(max_trials=12, directory=tmp_path)
    tuner.search()
    scores = [trial.score for trial in tuner.oracle.get_best_trials(12)]
    assert scores == sorted(scores)
    assert abs(tuner.get_best_hyperparameters()[0]["x"] - 1.0) < 0.5


def test_entries_that_may_not_be_tuned_keep_their_defaults(tmp_path: Path) -> None:
    known = keras_tuner.HyperParameters()
    known.Choice("units", [3, 4])
    tuner = search(new_tuner(tmp_path, with_rate, hyperparameters=known, tune_new_entries=False, max_trials=9))
    found = [trial.hyperparameters.values for trial in tuner.oracle.trials.values()]
    assert found == [{"units": 3, "rate": 0.2}, {"units": 4, "rate": 0.2}]


def with_rate(hp: Any) -> Any:
    hp.Float("rate", 0.1, 0.9, default=0.2)
    return build(hp)


def test_as_many_trials_as_hyperband_would_begin() -> None:
    from tune.drop_in import _hyperband_trials

    assert _hyperband_trials(None, 3, 1) == 10
    for max_epochs, factor in ((100, 3), (4, 2), (27, 3), (1, 3)):
        oracle = keras_tuner.oracles.HyperbandOracle("val_loss", max_epochs=max_epochs, factor=factor)
        sizes = [oracle._get_size(bracket, 0) for bracket in range(oracle._get_num_brackets())]
        assert _hyperband_trials(max_epochs, factor, 2) == 2 * sum(sizes)


def test_what_cannot_be_honoured_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(UserWarning, match="num_initial_points, beta"):
        new_tuner(tmp_path, num_initial_points=3, beta=1.0)
    with pytest.raises(SearchError, match="neither a hypermodel nor a run_trial"):
        Tuner(objective="val_loss")
    with pytest.raises(SearchError, match="RandomSearchOracle is not the oracle"):
        Tuner(build, oracle=keras_tuner.oracles.RandomSearchOracle("val_loss"))
    with pytest.raises(TypeError, match="positional"):
        Tuner(build, "val_loss", 10)  # type: ignore[call-arg]  # max_trials of one, max_epochs of another
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    with pytest.raises(SearchError, match="distribution"):
        tune.Tuner(build, "val_loss")
