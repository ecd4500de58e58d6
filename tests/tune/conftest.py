"""A small task on real Fashion-MNIST rows, and one search for it that many tests look at."""

from __future__ import annotations

import gc
import os

os.environ["KERAS_BACKEND"] = "torch"  # before anything imports Keras

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evertune.loading import load_task
from evertune.settings import ExportSettings, LimitSettings, TuneSettings
from evertune.task import LabelledWindow, Splits, Task
from tune import Event, Study, WarmStart, search
from tune.plan import Plan

LIMITS = LimitSettings(latency_seconds=1.0, size_bytes=1_000_000)  # size decides, never the speed of this machine
_TASK = """\
import keras
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples.fashion_mnist.data import training_rows
from examples.fashion_mnist.task import FashionMnist


class Tiny(Task):
    name = "tiny"
    labels = FashionMnist.labels
    inputs = (TensorSpec("image", "uint8", (28, 28)),)

    def load(self):
        rows = training_rows()
        edges = [(0, 600), (600, 900), (900, 1000), (1000, 1300)]
        return Splits(*[rows.take(slice(*each)) for each in edges])

    def build(self, hp):
        units = hp.Choice("units", [16, 32, 4000], default=32)  # 4,000 units are over the limit in any precision
        rate = hp.Float("rate", 1e-6, 1e-2, sampling="log", default=5e-3)
        image = keras.Input((28, 28), dtype="uint8", name="image")
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
        x = keras.layers.Dropout(0.1)(keras.layers.Dense(units, activation="relu")(x))
        model = keras.Model(image, keras.layers.Dense(10, activation="softmax")(x))
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        return model
"""


# Keras 3.15 and torch 2.13 still write `__array__` as numpy 1 wanted it: every `Model.predict` says so.
_NOISE = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings(_NOISE))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Models this small are slower on two threads, and much slower where another process has the second core."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def _cheap_garbage() -> Iterator[None]:
    """KerasTuner collects garbage at each build: a second each where all of torch is looked at."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a project with `task.py:Tiny`."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "task.py").write_text(_TASK)
    return folder


@pytest.fixture(scope="session")
def task(root: Path) -> Task:
    return load_task("task.py:Tiny", root)


@pytest.fixture(scope="session")
def splits(task: Task) -> Splits:
    return task.load()


MakePlan = Callable[..., Plan]


@pytest.fixture
def make_plan(root: Path, tmp_path: Path) -> MakePlan:
    """Makes a plan for `execute` in this process."""

    def make(**changes: Any) -> Plan:
        content: dict[str, Any] = {
            "reference": "task.py:Tiny",
            "root": root,
            "folder": tmp_path / "study",
            "max_epochs": 2,
            "seed": 0,
            "backend": "torch",
            "limits": LIMITS,
            "export": ExportSettings(),
        }
        return Plan(**{**content, **changes})

    return make


@dataclass(frozen=True)
class Searched:
    """A search that has ended.

    Attributes:
        study: Its result.
        events: All that it told.
        again: Calls `search` once more with the same arguments, some of them changed.
    """

    study: Study
    events: list[Event]
    again: Callable[..., Study]


@pytest.fixture(scope="session")
def searched(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """Six trials that count, of two epochs each, in two workers, and two finals; one more is over the limit."""
    events: list[Event] = []
    arguments: dict[str, Any] = {
        "project_root": root,
        "window": LabelledWindow(),
        "folder": tmp_path_factory.mktemp("studies") / "main",
        "settings": TuneSettings(max_trials=6, max_epochs=2, workers=2, seed=3, finalists=2, finalist_seeds=1),
        "limits": LIMITS,
        "export": ExportSettings(),
        "warm_start": WarmStart(({"units": 16, "rate": 1e-2, "gone": 1}, {"units": 4000, "rate": 1e-3})),
        "progress": events.append,
    }

    def again(**changes: Any) -> Study:
        return search("task.py:Tiny", **{**arguments, **changes})

    return Searched(again(), events, again)
