"""The examples' tasks on a few rows: they load, and fit their preprocessor on training rows only."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import examples
from evertune.checks import check_splits
from evertune.loading import load_task
from evertune.preprocessing import Numbers
from evertune.tables import read_table
from evertune.task import Task

EXAMPLES = Path(examples.__file__).parent
ROWS = 600


def sms() -> dict[str, list[Any]]:
    return read_table(EXAMPLES / "sms_spam/messages.csv.xz")


def weather() -> dict[str, list[Any]]:
    columns = read_table(EXAMPLES / "weather/weather.csv.xz")
    return {**columns, "rain": [int(value == "rain") for value in columns["rain"]]}


def market() -> dict[str, list[Any]]:
    """Rows as those of Elec2, which is not ours to ship."""
    random = np.random.default_rng(0)
    numbers = {name: random.random(ROWS).tolist() for name in
               ("nsw_price", "nsw_demand", "vic_price", "vic_demand", "transfer")}  # fmt: skip
    return {"period": [row % 48 / 47 for row in range(ROWS)], **numbers, "up": random.integers(0, 2, ROWS).tolist()}


TASKS = {"sms_spam": ("SmsSpam", sms), "weather": ("Weather", weather), "electricity": ("Electricity", market)}


@pytest.fixture
def task(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    name = request.param
    class_name, columns = TASKS[name]
    module = importlib.import_module(f"examples.{name}.task")
    _forget(module)
    monkeypatch.setattr(module, "read_dataset", lambda _: {key: list(each[:ROWS]) for key, each in columns().items()})
    yield getattr(module, class_name)()
    _forget(module)


def _forget(module: Any) -> None:
    for value in vars(module).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


@pytest.mark.parametrize("task", TASKS, indirect=True)
def test_a_task_loads_and_passes_every_check(task: Task) -> None:
    splits = task.load()
    check_splits(task, splits)
    assert sum(len(rows) for rows in splits.parts.values()) == ROWS
    again = task.load()
    for name, value in splits.test.inputs.items():
        np.testing.assert_array_equal(again.test.inputs[name], value)


@pytest.mark.parametrize("task", ["weather", "electricity"], indirect=True)
def test_statistics_are_those_of_training_rows(task: Task) -> None:
    preprocessor = task.preprocessor()
    assert preprocessor is not None
    step = preprocessor.step(Numbers)
    np.testing.assert_allclose(task.load().train.inputs[step.output].mean(axis=0), step.mean, atol=1e-4)


def test_films_are_ranked_by_ids_in_time_order_and_new_ids_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows as those of MovieLens, which is not ours to ship; the last hundred are of users that came late."""
    random = np.random.default_rng(0)
    count = 1000
    users = np.concatenate([random.integers(1, 20, count - 100), random.integers(900, 950, 100)])
    order = random.permutation(count)  # the file is in no order
    columns = {
        "user": users[order].tolist(),
        "item": random.integers(1, 30, count)[order].tolist(),
        "rating": random.integers(3, 6, count)[order].tolist(),
        "time": np.arange(count)[order].tolist(),
    }
    monkeypatch.setattr("examples._data.read_dataset", lambda _: columns)
    task = load_task("movielens/task.py:MovieLens", EXAMPLES)
    splits = task.load()
    check_splits(task, splits)
    liked = sum(rating >= 4 for rating in columns["rating"])
    assert sum(len(rows) for rows in splits.parts.values()) == liked
    assert (splits.train.inputs["history"][0] == 0).all()  # a user's first choice has none before it
    assert (splits.train.inputs["history"][-1] > 0).all()
    assert (splits.train.inputs["codes"][:, 0] > 0).all()
    assert (splits.test.inputs["codes"][-50:, 0] == 0).all()
    preprocessor = task.preprocessor()
    assert preprocessor is not None
    asked = {column.name: [None, 10**6] for column in preprocessor.columns}
    assert all((codes == 0).all() for codes in preprocessor.transform({**asked, "user": [901, "x"]}).values())


@pytest.mark.parametrize("name", ["sms_spam", "weather", "electricity", "movielens", "fashion_mnist"])
def test_an_example_is_short(name: str) -> None:
    assert len((EXAMPLES / name / "task.py").read_text().splitlines()) <= 60


@pytest.mark.parametrize("name", TASKS)
def test_an_example_is_a_project_of_its_own(name: str) -> None:
    from evertune.settings import load_project

    project = load_project(EXAMPLES / name)
    assert load_task(project.settings.project.task, project.root).name
