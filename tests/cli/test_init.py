"""`evertune init` makes a project that works, whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.init_command import Preset
from cli.scaffold.image.task import MyTask
from evertune.checks import check_splits
from evertune.errors import DataError
from evertune.keys import Keyring
from evertune.loading import load_task
from evertune.settings import Settings, load_project
from evertune.task import LabelledWindow

Run = Callable[..., Any]


@pytest.fixture
def made(run: Run, tmp_path: Path) -> tuple[Path, Any]:
    done = run("init", str(tmp_path / "sub" / "Shoe-1"), "--json")
    assert done.code == 0
    return tmp_path / "sub" / "Shoe-1", done.json()


def test_the_project_is_complete(made: tuple[Path, Any]) -> None:
    folder, told = made
    names = {path.name for path in folder.iterdir()}
    assert names == {"evertune.toml", "task.py", "bentofile.yaml", ".gitignore", "README.md", ".evertune"}
    assert 'name = "Shoe-1"' in (folder / "task.py").read_text()
    assert all("my-model" not in path.read_text() for path in folder.iterdir() if path.is_file())
    assert len((folder / "task.py").read_text().splitlines()) < 40
    assert [path.name for path in folder.parent.iterdir()] == ["Shoe-1"]
    key = Keyring(load_project(folder).keys_path).verify(told["api_key"], "predict")
    assert key.roles == {"predict", "label"}
    assert told["api_key"] not in (folder / ".evertune" / "keys.json").read_text()


@pytest.mark.parametrize("preset", [preset.value for preset in Preset])
def test_every_preset_makes_a_short_task_that_works_as_it_is(run: Run, tmp_path: Path, preset: str) -> None:
    folder = tmp_path / "Mine"
    assert run("init", str(folder), "--preset", preset, "--json").json()["preset"] == preset
    assert len((folder / "task.py").read_text().splitlines()) < 40
    readme = (folder / "README.md").read_text()
    assert "PRESET" not in readme
    assert "/predict" in readme
    if preset == "recommendation":
        with pytest.raises(DataError, match=r"interactions\.csv"):
            load_task("task.py:MyTask", folder)
        return
    task = load_task("task.py:MyTask", folder)
    splits = task.load()
    check_splits(task, splits)
    assert task.name == "Mine"
    assert len(splits.train) > 1000
    preprocessor = task.preprocessor()
    assert preprocessor is not None
    assert set(preprocessor.transform({column.name: [column.example] for column in preprocessor.columns}))


def test_an_unknown_preset_makes_nothing(run: Run, tmp_path: Path) -> None:
    done = run("init", str(tmp_path / "Mine"), "--preset", "audio")
    assert done.code == 2
    assert "tabular" in done.err
    assert list(tmp_path.iterdir()) == []


def test_every_setting_is_shown_with_its_default(made: tuple[Path, Any]) -> None:
    folder, _ = made
    assert load_project(folder).settings.project.task == "task.py:MyTask"
    path = folder / "evertune.toml"
    path.write_text(re.sub(r"(?m)^# (\w+ = )", r"\1", path.read_text()))
    settings = load_project(folder).settings
    assert settings.model_dump(exclude={"project": {"task"}}) == Settings().model_dump(exclude={"project": {"task"}})
    for section in Settings.model_fields:
        text = path.read_text().partition(f"[{section}]")[2].partition("\n[")[0]
        assert set(re.findall(r"(?m)^(\w+) =", text)) == set(getattr(settings, section).model_dump())


def test_the_examples_in_the_settings_are_good_ones(made: tuple[Path, Any]) -> None:
    folder, _ = made
    path = folder / "evertune.toml"
    path.write_text(re.sub(r"(?m)^#   ", "", path.read_text()))
    retune = load_project(folder).settings.retune
    for entries in (retune.schedules, retune.maintenance):
        (entry,) = entries
        assert entry.model_fields_set == set(type(entry).model_fields)


@pytest.mark.parametrize("name", ["9lives", "a b", "ünder", "a" * 64])
def test_a_bad_name_makes_nothing(run: Run, tmp_path: Path, name: str) -> None:
    done = run("init", str(tmp_path / "inside" / name))
    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shoes").mkdir()
    (tmp_path / "shoes" / "mine.txt").write_text("mine")
    done = run("init", str(tmp_path / "shoes"))
    assert (done.code, done.out) == (2, "")
    assert "is there already" in done.err
    assert [path.name for path in (tmp_path / "shoes").iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shoes").mkdir()
    assert run("init", str(tmp_path / "shoes")).code == 0
    assert (tmp_path / "shoes" / "task.py").exists()


def test_the_splits_of_the_shipped_task_share_no_row() -> None:
    splits = MyTask().data(LabelledWindow())
    images = [image.tobytes() for rows in splits.parts.values() for image in rows.inputs["image"]]
    assert len(images) == len(set(images)) == 12_000
