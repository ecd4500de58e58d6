"""`evertune tune FILE.py:NAME` takes a HyperModel as its author wrote it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.typed_task import project_of
from evertune.errors import InputError, TaskError
from evertune.settings import Project

Run = Callable[..., Any]

_HYPERMODEL = '''\
import keras
import keras_tuner


class MyHyperModel(keras_tuner.HyperModel):
    """As in KerasTuner's guide."""

    def build(self, hp):
        model = keras.Sequential([keras.Input((64,))])
        model.add(keras.layers.Dense(hp.Choice("units", [16, 32]), activation="relu"))
        model.add(keras.layers.Dense(10, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Choice("batch_size", [16, 32]), **kwargs)
'''
_DATA = """\


def data():
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_hypermodel_is_searched_where_there_is_nothing_but_its_file(run: Run, folder: Path) -> None:
    (folder / "models").mkdir()
    (folder / "models" / "mine.py").write_text(_HYPERMODEL + _DATA)
    options = ("--max-trials", "2", "--max-epochs", "1", "--workers", "1", "--json")
    done = run("tune", "models/mine.py:MyHyperModel", *options)
    assert done.code == 0, done.err
    assert done.err.startswith("Began a project here:")
    trials = done.json()["trials"]
    assert [trial["state"] for trial in trials] == ["completed"] * 2
    assert all(trial["hyperparameters"].keys() == {"units", "batch_size"} for trial in trials)
    assert done.json()["best"]["score"] > 0.2
    written = tomllib.loads((folder / "evertune.toml").read_text())
    assert written == {"project": {"task": "models/mine.py:MyHyperModel"}, "tune": {"backend": "torch"}}
    assert run("tune", *options).json()["trials"] == trials  # the project knows its task now


def test_a_mistake_leaves_no_project_behind(folder: Path) -> None:
    (folder / "mine.py").write_text(_HYPERMODEL)
    with pytest.raises(TaskError, match=r"no function 'data'.* --data"):
        project_of("mine.py:MyHyperModel", None)
    assert not (folder / "evertune.toml").exists()
    with pytest.raises(InputError, match="--data goes with a task"):
        project_of(None, "shop:load")


@pytest.mark.parametrize("data", ["rows/shop:load", "rows/shop.py:load", "rows.shop:load"])
def test_the_data_may_come_from_another_file(folder: Path, data: str) -> None:
    (folder / "rows").mkdir()
    (folder / "rows" / "shop.py").write_text(_DATA.replace("def data", "def load"))
    (folder / "mine.py").write_text(_HYPERMODEL)
    task = project_of("mine.py:MyHyperModel", data).settings.project.task
    assert task == "mine.py:MyHyperModel@rows.shop.load"


def test_another_task_is_searched_in_a_project_that_has_its_own(project: Project) -> None:
    (project.root / "sub").mkdir()
    found = project_of("sub/mine.py:build", None)
    assert found.settings.project.task == "sub/mine.py:build"
    assert found.root == project.root
    assert (project.root / "evertune.toml").read_text() == ""
