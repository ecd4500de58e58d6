"""What a search writes for TensorBoard and MLflow, read back with their own tools."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from evertune.settings import TuneSettings
from tune.events import Notice
from tune.journal import read_entries
from tune.standing import Standing, TrialStanding
from tune.study import ranked
from tune.tensorboard_logs import TensorBoardLogs
from tune.tracking import Tracking, tracked

Searched = Any  # of conftest.py
JOURNAL = "journal.jsonl"


@pytest.fixture(autouse=True, scope="module")
def _without_tensorflow() -> None:
    """TensorBoard reads with its own stand-in: TensorFlow would stay in this process, beside torch."""
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(each.step, each.value) for each in _read(folder).Scalars(tag)]


def _read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*tfevents*"))}


@pytest.fixture
def copy(searched: Searched, tmp_path: Path) -> Path:
    """The journal of a real search in a folder of its own."""
    (tmp_path / "copy").mkdir()
    shutil.copy(searched.study.folder / JOURNAL, tmp_path / "copy")
    return tmp_path / "copy"


def test_tensorboard_reads_curves_figures_and_hyperparameters_of_a_real_search(searched: Searched) -> None:
    logs = searched.study.folder / "tensorboard"
    assert sorted(path.name for path in logs.iterdir()) == sorted(
        f"trial-{each.trial_id}" for each in searched.study.trials
    )
    standing = Standing(read_entries(searched.study.folder / JOURNAL)[0])
    for record in searched.study.trials:
        run = _read(logs / f"trial-{record.trial_id}")
        if record.epochs:
            reported = {each.step: each.value for each in run.Scalars("val_accuracy")}
            told = standing.trials[record.trial_id].epochs
            assert reported == pytest.approx({epoch: metric for epoch, (_, metric) in told.items()})
            assert list(reported) == sorted(told)
        if record.state == "completed":
            assert [(each.step, each.value) for each in run.Scalars("score")] == [
                (record.epochs, pytest.approx(record.score))
            ]
        plugin = run.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
        values = HParamsPluginData.FromString(plugin).session_start_info.hparams
        assert values["units"].number_value == record.hyperparameters["units"]
        assert values["augmentation"].string_value == record.hyperparameters["augmentation"]


def test_a_search_cut_anywhere_and_resumed_logs_the_same_as_one_that_was_not(searched: Searched, copy: Path) -> None:
    lines = (copy / JOURNAL).read_bytes().splitlines(keepends=True)
    for count in range(1, len(lines)):
        (copy / JOURNAL).write_bytes(b"".join(lines[:count]))
        with tracked(copy, TuneSettings(), None):
            pass
    (copy / JOURNAL).write_bytes(b"".join(lines))
    with tracked(copy, TuneSettings(), None):
        pass
    assert files(copy / "tensorboard") == files(searched.study.folder / "tensorboard")


def test_an_epoch_that_was_trained_twice_is_logged_once(tmp_path: Path) -> None:
    logs, trial = TensorBoardLogs(tmp_path), TrialStanding("0", {"a": None}, "default", 1.0)
    standing = Standing([{"event": "started", "at": 1.0, "trial_id": "0", "hyperparameters": {}, "origin": "default"}])
    for at, epoch, metric in ((2.0, 1, 0.5), (3.0, 2, 0.6), (9.0, 2, 0.6), (10.0, 3, 0.7)):
        standing.take({"event": "epoch", "at": at, "trial_id": "0", "epoch": epoch, "metric": metric})
        logs.sync(standing.trials["0"])
    run = tmp_path / "tensorboard" / "trial-0"
    assert [step for step, _ in scalars(run, "val_accuracy")] == [1, 2, 3]
    logs.sync(trial)  # another study in the same folder: what was there is replaced
    assert "val_accuracy" not in _read(run).Tags()["scalars"]


def test_logs_of_a_study_that_lay_there_before_go(copy: Path) -> None:
    stale = copy / "tensorboard" / "trial-99"
    stale.mkdir(parents=True)
    with tracked(copy, TuneSettings(), None):
        pass
    assert not stale.exists()
    with tracked(copy, TuneSettings(tensorboard=False), None):
        (copy / "tensorboard").rename(copy / "away")
    assert not (copy / "tensorboard").exists()


def test_a_tracker_that_fails_is_told_once_and_the_search_goes_on(copy: Path) -> None:
    class Broken(TensorBoardLogs):
        def sync(self, trial: TrialStanding) -> None:
            raise OSError(28, "No space left on device")

    told: list[Any] = []
    tracking = Tracking(copy, [Broken(copy), TensorBoardLogs(copy)], told.append, lambda: 5.0)
    for _ in range(3):
        tracking(Notice(1.0, "something"))
    tracking.finish()
    said = [each.text for each in told if each.at_seconds == 5.0]
    assert len(said) == 1
    assert "No space left" in said[0]
    assert files(copy)  # the other one wrote


@pytest.fixture
def file_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # quick to set up; MLflow itself would rather have a database
    return f"file://{tmp_path}/runs"


def test_mlflow_has_a_run_a_trial_and_a_resumed_search_goes_on_with_them(
    searched: Searched, copy: Path, file_store: str
) -> None:
    client_of = pytest.importorskip("mlflow.tracking").MlflowClient
    settings = TuneSettings(mlflow_tracking_uri=file_store)
    lines = (copy / JOURNAL).read_bytes().splitlines(keepends=True)
    half = next(number for number, line in enumerate(lines) if b'"epoch"' in line) + 1
    for count in (half, len(lines), len(lines)):
        (copy / JOURNAL).write_bytes(b"".join(lines[:count]))
        with tracked(copy, settings, None):
            pass
    client = client_of(file_store)
    runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    by_trial = {run.data.tags["evertune.trial"]: run for run in runs}
    assert len(runs) == len(by_trial) == len(searched.study.trials) + 1
    parent = by_trial.pop("none")
    assert (parent.info.status, parent.info.run_name) == ("FINISHED", "copy")
    assert parent.data.tags["evertune.best_trial"] == ranked(searched.study.trials)[0].trial_id
    for record in searched.study.trials:
        run = by_trial[record.trial_id]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["evertune.state"] == record.state
        assert run.info.status == ("FINISHED" if record.state == "completed" else "KILLED")
        assert run.data.params == {name: str(value) for name, value in record.hyperparameters.items()}
        assert run.data.metrics.get("score") == record.score
        assert run.data.metrics["size_bytes"] == record.size_bytes
        steps = [each.step for each in client.get_metric_history(run.info.run_id, "val_accuracy")]
        assert steps == list(range(1, record.epochs + 1))


def test_a_tracking_server_that_is_away_is_told_once_and_stops_nothing(copy: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]  # nobody listens once it is closed
    told: list[Any] = []
    uri = f"http://user:secret@127.0.0.1:{port}"
    with tracked(copy, TuneSettings(mlflow_tracking_uri=uri), told.append) as progress:
        progress(Notice(1.0, "something"))
        progress(Notice(2.0, "something"))
    said = [each.text for each in told if "MLflow" in each.text]
    assert len(said) == 1
    assert "was not reached" in said[0]
    assert "secret" not in said[0]
    assert files(copy / "tensorboard")
