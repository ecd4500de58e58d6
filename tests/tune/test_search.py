"""A real search with workers; one, ended, is looked at by many tests."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evertune.bundle import Bundle, BundleStore
from evertune.errors import DataError, SearchError, TaskError
from evertune.losses import row_losses
from evertune.settings import Project, Settings, TuneSettings
from evertune.task import LabelledWindow, Splits, Task
from export import export_model
from tune import Study, WarmStart, load_study, search, ship
from tune.events import (
    FinalEnded,
    SearchStarted,
    TrialEpoch,
    TrialFinished,
    TrialPaused,
    TrialPruned,
    TrialRejected,
    TrialStarted,
)
from tune.hypermodel import TaskHyperModel
from tune.journal import read_entries
from tune.record import TrialRecord
from tune.standing import Standing
from tune.study import JOURNAL
from tune.weights import load_arrays
from tune.winner import load_winner

Searched = Any  # of conftest.py


def of_state(study: Study, state: str) -> list[TrialRecord]:
    return [record for record in study.trials if record.state == state]


def journal(study: Study) -> list[dict[str, Any]]:
    return read_entries(study.folder / "journal.jsonl")[0]


def kept(study: Study) -> list[str]:
    return sorted(path.parent.name for path in study.folder.glob("trials/*/weights.npz"))


# --- what a search gives ------------------------------------------------------------------------------------------


def test_every_trial_ends_once_and_in_a_known_way(searched: Searched) -> None:
    study = searched.study
    started = [entry["trial_id"] for entry in journal(study) if entry["event"] == "started"]
    assert sorted(record.trial_id for record in study.trials) == started == [str(n) for n in range(len(started))]
    rejected = of_state(study, "rejected")
    assert len(study.trials) == 6 + len(rejected)  # rejected ones do not count
    assert of_state(study, "completed")
    assert of_state(study, "pruned")
    assert rejected
    assert of_state(study, "failed") == []
    values = [json.dumps(record.hyperparameters, sort_keys=True) for record in study.trials]
    assert len(set(values)) == len(values)


def test_the_score_is_the_accuracy_of_the_exported_artifact(searched: Searched, task: Task, splits: Splits) -> None:
    study = searched.study
    for record in of_state(study, "completed"):
        if record.trial_id in kept(study):
            hypermodel = TaskHyperModel(task, splits, study.plan.max_epochs)
            model = load_winner(hypermodel, record.hyperparameters, study.plan, record.trial_id)
            result = export_model(model, task, splits, settings=study.plan.export, limits=study.plan.limits, seed=0)
            assert record.score == pytest.approx(result.candidate(str(record.recipe)).accuracy)


def test_the_best_is_the_finalist_with_the_best_mean_or_one_within_noise_that_is_cheaper(searched: Searched) -> None:
    study = searched.study
    choice, latencies = study.best(), study.latencies
    assert choice.accuracy > 0.5
    assert choice.trial.trial_id in latencies
    means = {each.trial.trial_id: each.accuracy for each in choice.contenders}
    ahead = {trial_id for trial_id, mean in means.items() if mean > choice.accuracy}
    assert ahead <= {each.trial_id for each in choice.tied}
    assert all(0 < each.lead <= each.standard_error for each in choice.tied if each.trial_id in ahead)


def test_finalists_are_trained_again_with_other_seeds_and_timed_alone(searched: Searched) -> None:
    study = searched.study
    finalists = {record.trial_id.partition(".")[0]: record for record in study.finals}
    assert [record.trial_id for record in study.finals if "." not in record.trial_id] == []
    assert len(study.finals) == len(finalists) == len(study.latencies) == 2
    for trial_id, final in finalists.items():
        trial = next(record for record in study.trials if record.trial_id == trial_id)
        assert (final.hyperparameters, final.state, final.epochs) == (trial.hyperparameters, "completed", 2)
        assert 0 < study.latencies[trial_id] < 1
        assert final.rung_metric != trial.rung_metric  # another seed
    told = [event.trial_id for event in searched.events if isinstance(event, FinalEnded)]
    assert sorted(told) == sorted(record.trial_id for record in study.finals)


def test_architectures_over_the_limit_are_turned_away_untrained(searched: Searched) -> None:
    rejected = of_state(searched.study, "rejected")
    assert {record.hyperparameters["units"] for record in rejected} == {4000}
    assert {record.epochs for record in rejected} == {0}
    assert all("over limits.size_bytes = 1,000,000" in str(record.error) for record in rejected)
    trained = {entry["trial_id"] for entry in journal(searched.study) if entry["event"] == "epoch"}
    assert trained.isdisjoint(record.trial_id for record in rejected)


def test_pruned_trials_are_cut_after_one_epoch_and_have_no_score(searched: Searched) -> None:
    for record in of_state(searched.study, "pruned"):
        assert (record.epochs, record.score) == (1, None)
        assert record.rung_metric is not None
        assert record.latency_seconds is not None


def test_the_warm_start_goes_first_then_the_defaults(searched: Searched) -> None:
    started = [entry for entry in journal(searched.study) if entry["event"] == "started"]
    assert [entry["origin"] for entry in started[:4]] == ["warm start", "warm start", "default", "sampler"]
    first, second, third = (entry["hyperparameters"] for entry in started[:3])
    assert (first["units"], first["rate"]) == (16, 1e-2)
    assert "gone" not in first
    assert second["units"] == 4000
    assert (third["units"], third["rate"], third["batch_size"], third["augmentation"]) == (32, 5e-3, 64, "none")


def test_it_tells_what_happens_while_it_happens(searched: Searched) -> None:
    events, study = searched.events, searched.study
    assert isinstance(events[0], SearchStarted)
    assert (events[0].max_trials, events[0].workers, events[0].resumed_trials) == (6, 2, 0)
    assert [event.trial_id for event in events if isinstance(event, TrialStarted)] == [
        entry["trial_id"] for entry in journal(study) if entry["event"] in ("started", "resumed")
    ]
    ends = [event for event in events if isinstance(event, TrialFinished | TrialPruned | TrialRejected)]
    assert tuple(event.record for event in ends) == study.trials
    epochs = [event for event in events if isinstance(event, TrialEpoch)]
    assert len(epochs) == sum(record.epochs for record in study.trials)
    assert all(0 <= event.accuracy <= 1 for event in epochs)


def test_only_the_best_and_the_front_keep_files_and_only_weights(searched: Searched) -> None:
    study = searched.study
    ranked = sorted(of_state(study, "completed"), key=lambda record: -(record.score or 0))
    winner = study.best()
    allowed = {record.trial_id for record in (*ranked[:3], *study.pareto)} | {f"{winner.trial.trial_id}.1"}
    assert set(kept(study)) <= allowed
    assert winner.training in kept(study)
    assert {path.name for path in study.folder.glob("trials/*/*")} == {"weights.npz", "losses.npz"}


def test_a_study_can_be_read_wherever_it_lies(searched: Searched, tmp_path: Path) -> None:
    shutil.copytree(searched.study.folder, tmp_path / "moved")
    moved = load_study(tmp_path / "moved")
    assert moved.trials == searched.study.trials
    assert moved.plan.folder == tmp_path / "moved"


def test_a_folder_without_a_whole_first_entry_holds_no_study(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(b'{"event":"stu')  # killed before the first line was whole
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(SearchError, match="there is no study"):
            load_study(folder)


# --- calling it again ---------------------------------------------------------------------------------------------


def test_a_search_that_has_ended_is_not_run_again(searched: Searched) -> None:
    told = len(searched.events)
    assert searched.again().trials == searched.study.trials
    assert len(searched.events) == told


def test_a_search_whose_time_is_over_stops_at_the_next_epoch_and_goes_on_with_more_time(
    searched: Searched, tmp_path: Path
) -> None:
    """The clock is ours: an epoch takes 15 s. After the first one the trial is paused, and goes on as the only one."""
    now, told = [1000.0], []

    def progress(event: Any) -> None:
        told.append(event)
        now[0] += 15 * isinstance(event, TrialEpoch)

    def again(max_seconds: float) -> Study:
        settings = TuneSettings(max_trials=1, max_epochs=4, workers=1, seed=3, max_seconds=max_seconds)
        again: Study = searched.again(
            folder=tmp_path / "study", settings=settings, progress=progress, clock=lambda: now[0]
        )
        return again

    for _ in range(2):  # the second time there is nothing to do
        with pytest.raises(SearchError, match=r"no trial completed within tune.max_seconds = 20"):
            again(20)
        assert [type(event) for event in told] == [
            *(SearchStarted, TrialStarted, TrialEpoch),
            *(TrialPaused, TrialStarted, TrialEpoch),
        ]
    study = again(100)
    assert [(record.trial_id, record.state, record.epochs) for record in study.trials] == [("0", "completed", 4)]
    entries = journal(study)
    assert [entry["event"] for entry in entries if entry["event"] in ("session", "out_of_time", "finished")] == [
        *("session", "out_of_time", "session", "finished")
    ]
    assert sum(entry["event"] == "epoch" and entry["epoch"] == 2 for entry in entries) <= 2  # at most one done twice


def test_finals_that_time_or_a_kill_ends_count_for_nothing_until_they_are_over(
    searched: Searched, tmp_path: Path
) -> None:
    """The journal is cut where the finals begin; then time is over when the first of two trainings has ended."""
    folder = tmp_path / "study"
    shutil.copytree(searched.study.folder, folder)
    lines = (folder / JOURNAL).read_text().splitlines(keepends=True)
    first = next(index for index, line in enumerate(lines) if json.loads(line)["event"] == "final")
    (folder / JOURNAL).write_text("".join(lines[:first]))
    for training in folder.glob("trials/*.*"):
        shutil.rmtree(training)
    before = load_study(folder).best()
    spent = Standing(read_entries(folder / JOURNAL)[0]).spent_seconds()
    now = [json.loads(lines[first - 1])["at"]]

    def progress(event: Any) -> None:
        now[0] += 100 * isinstance(event, FinalEnded)

    def again(max_seconds: float) -> Study:
        settings = TuneSettings(
            max_trials=6, max_epochs=2, workers=1, seed=3, finalists=2, finalist_seeds=1, max_seconds=max_seconds
        )
        found: Study = searched.again(folder=folder, settings=settings, progress=progress, clock=lambda: now[0])
        return found

    study = again(spent + 50)
    assert sum(entry["event"] == "final" for entry in journal(study)) == 1
    assert (study.finals, study.latencies) == ((), {})
    assert study.best().to_json() == before.to_json()
    study = again(spent + 1000)
    assert len(study.finals) == len(study.latencies) == 2
    assert sum(entry["event"] == "final" for entry in journal(study)) == 2
    assert [entry["event"] for entry in journal(study)][-2:] == ["timed", "finished"]


def test_a_search_that_has_ended_goes_on_when_more_trials_are_wanted(searched: Searched, tmp_path: Path) -> None:
    shutil.copytree(searched.study.folder, tmp_path / "study")
    more = TuneSettings(max_trials=7, max_epochs=2, workers=2, seed=3)
    study = searched.again(folder=tmp_path / "study", settings=more)
    known = searched.study.trials
    assert study.trials[: len(known)] == known
    assert len(study.trials) > len(known)
    assert len([record for record in study.trials if record.state != "rejected"]) == 7
    assert searched.again(folder=tmp_path / "study", settings=more).trials == study.trials


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"settings": TuneSettings(max_trials=6, max_epochs=3, workers=2, seed=3)}, "max_epochs was 2 and is 3"),
        ({"settings": TuneSettings(max_trials=6, max_epochs=2, workers=2, seed=4)}, "seed was 3 and is 4"),
        ({"window": "live rows"}, "the data changed since"),
    ],
    ids=["epochs", "seed", "data"],
)
def test_the_folder_of_another_search_is_refused_and_left_as_it_was(
    searched: Searched, splits: Splits, changes: dict[str, Any], difference: str
) -> None:
    if changes.get("window") == "live rows":
        changes = {"window": LabelledWindow(splits.test)}
    folder = searched.study.folder
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(SearchError, match=difference):
        searched.again(**changes)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_search_that_ended_before_its_first_trial_may_begin_anew(searched: Searched, tmp_path: Path) -> None:
    journal = (searched.study.folder / "journal.jsonl").read_text().splitlines(keepends=True)
    header = journal[0].replace('"source_sha256":"', '"source_sha256":"other')
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "journal.jsonl").write_text(header)
    one = TuneSettings(max_trials=1, max_epochs=2, workers=1, seed=3)
    assert len(searched.again(folder=tmp_path / "study", settings=one).trials) == 1
    started = next(line for line in journal if '"started"' in line)
    (tmp_path / "study" / "journal.jsonl").write_text(header + started)
    with pytest.raises(SearchError, match=r"the task's code changed since.*--study NAME"):
        searched.again(folder=tmp_path / "study", settings=one)


def test_two_searches_do_not_share_a_folder(searched: Searched) -> None:
    import fcntl

    with (searched.study.folder / "lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SearchError, match="another search runs in"):
            searched.again()


# --- shipping -----------------------------------------------------------------------------------------------------


@pytest.fixture
def project(root: Path) -> Project:
    return Project(root, Settings())


def test_shipping_seals_the_best_artifact_with_what_a_re_tune_starts_from(
    searched: Searched, project: Project, task: Task, splits: Splits, tmp_path: Path
) -> None:
    study = searched.study
    bundle = ship(study, project, lineage={"by": "test"}, store=BundleStore(str(tmp_path / "store")))
    choice = study.best()
    best = choice.trial
    assert bundle.training_path is not None
    assert json.loads((bundle.training_path / "hyperparameters.json").read_bytes()) == dict(best.hyperparameters)
    sealed = load_arrays(bundle.training_path / "weights.npz")["weights"]
    trained = load_arrays(study.plan.trial_folder(choice.training) / "weights.npz")["weights"]
    assert all((one == two).all() for one, two in zip(sealed, trained, strict=True))
    _a_later_search_begins_with_it(bundle, study, tmp_path)
    lineage = (bundle.attestation() or {})["lineage"]
    assert lineage["by"] == "test"
    assert lineage["trial"]["trial_id"] == best.trial_id
    assert lineage["search"]["data_sha256"] == study.fingerprint["data_sha256"]
    assert (lineage["training"], lineage["choice"]["reason"]) == (choice.training, choice.reason)
    shipped = next(each for each in (*study.trials, *study.finals) if each.trial_id == choice.training)
    if bundle.manifest.recipe == shipped.recipe:
        outputs = bundle.session().run(splits.validation.inputs)
        assert 1 - row_losses(task.kind, outputs, splits.validation.labels).mean() == pytest.approx(shipped.score)


def _a_later_search_begins_with_it(bundle: Bundle, study: Study, folder: Path) -> None:
    assert bundle.training_path is not None
    found = WarmStart.of_bundle(bundle)
    assert found == replace(WarmStart.of_study(study), source=f"bundle {bundle.digest}", weights=found.weights)
    assert found.weights == bundle.training_path / "weights.npz"
    shutil.copytree(bundle.training_path, folder / "training")
    (folder / "training" / "best_configurations.json").unlink()  # as an older version sealed it
    content, attestation = bundle.content_path, {"lineage": {"study": study.folder.name}}
    old = BundleStore(str(folder / "old")).put(content, attestation=attestation, training=folder / "training")
    assert WarmStart.of_bundle(old).hyperparameters == found.hyperparameters[:1]
    assert WarmStart.of_bundle(old, study.folder.parent).hyperparameters == found.hyperparameters


def test_where_the_best_cannot_ship_the_next_best_does(searched: Searched, project: Project, tmp_path: Path) -> None:
    shutil.copytree(searched.study.folder, tmp_path / "study")
    study = load_study(tmp_path / "study")
    winner = study.best().trial.trial_id
    for path in study.folder.glob(f"trials/{winner}*/weights.npz"):
        path.unlink()
    bundle = ship(study, project, store=BundleStore(str(tmp_path / "store")))
    assert (bundle.attestation() or {})["lineage"]["trial"]["trial_id"] != winner
    shutil.rmtree(tmp_path / "study" / "trials")
    with pytest.raises(SearchError, match="are gone"):
        ship(study, project)


def test_a_study_without_a_completed_trial_ships_nothing(searched: Searched, project: Project) -> None:
    nothing = replace(searched.study, trials=tuple(of_state(searched.study, "pruned")))
    with pytest.raises(SearchError, match="no trial finished"):
        ship(nothing, project)


# --- what is refused before any training --------------------------------------------------------------------------

_TASK = """\
import keras
import numpy as np
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec


class Broken(Task):
    name = "broken"
    labels = ("no", "yes")
    inputs = (TensorSpec("x", "float32", (3,)),)

    def load(self):
        rows = Rows({{"x": np.ones((40, 3), np.float32)}}, np.arange(40) % 2)
        {data}
        return Splits(rows, rows, rows, rows)

    def build(self, hp):
        x = keras.Input((3,))
        {build}
        return keras.Model(x, keras.layers.Dense(2, activation="softmax")(x))
"""


def run_broken(folder: Path, *, data: str = "pass", build: str = "pass", **settings: Any) -> Study:
    (folder / "task.py").write_text(_TASK.format(data=data, build=build))
    return search(
        "task.py:Broken",
        project_root=folder,
        window=LabelledWindow(),
        folder=folder / "study",
        settings=TuneSettings(**{"max_trials": 1, "max_epochs": 1, "workers": 1, **settings}),
        limits=Settings().limits,
        export=Settings().export,
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("rows.inputs['x'][7, 1] = np.nan", "split 'train'.*NaN.*row 7"),
        ("rows.labels[:] = 1", "all 40 training rows have the label 'yes'"),
        ("rows.labels[3] = 2", "row 3: label 2"),
    ],
    ids=["nan", "one class", "unknown label"],
)
def test_data_that_nothing_can_be_learned_from_are_refused_and_nothing_is_half_written(
    tmp_path: Path, data: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        run_broken(tmp_path, data=data)
    assert {path.name for path in (tmp_path / "study").iterdir()} == {"lock"}


def line_of(text: str, folder: Path) -> int:
    lines = (folder / "task.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"build": "hp.Int('units', 8, 4)"}, "the model cannot be built"),
        ({"data": "raise OSError('no such disk')"}, "no such disk"),
        ({"build": "raise KeyError('wings')"}, "KeyError: 'wings'"),
    ],
    ids=["hyperparameter", "load", "build"],
)
def test_an_exception_of_the_task_names_its_file_and_line(tmp_path: Path, broken: dict[str, str], message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        run_broken(tmp_path, **broken)
    (line,) = broken.values()
    assert f"{tmp_path / 'task.py'}, line {line_of(line, tmp_path)}" in str(caught.value)
    assert "Correct the task file" in str(caught.value)


def test_a_task_that_does_not_import_names_its_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"task\.py, line 15: the task file does not import: SyntaxError"):
        run_broken(tmp_path, data="if :")


def test_keras_on_another_backend_is_refused(tmp_path: Path) -> None:
    import keras

    assert keras.config.backend() == "torch"
    with pytest.raises(SearchError, match="KERAS_BACKEND=tensorflow before Keras is imported"):
        run_broken(tmp_path, backend="tensorflow")


def test_trials_that_fail_in_a_worker_keep_their_traceback_and_a_trial_that_hangs_is_ended(tmp_path: Path) -> None:
    """Builds in the driver, fails or hangs in the worker."""
    build = (
        "import pathlib, sys; mark = pathlib.Path(__file__).with_name('mark')\n"
        "        if 'tune.worker' in sys.orig_argv:\n"
        "            if mark.exists(): raise RuntimeError('out of luck')\n"
        "            mark.touch()\n"
        "            while True: pass"
    )
    with pytest.raises(SearchError, match=r"no trial finished \(2 failed\)"):
        run_broken(tmp_path, build=build, max_trials=2, trial_timeout_seconds=2.0)
    hung, failed = load_study(tmp_path / "study").trials
    assert "timeout: the trial ran for" in str(hung.error)
    assert "RuntimeError: out of luck" in str(failed.error)
    assert f"line {line_of('out of luck', tmp_path)}" in str(failed.error)
