"""Presets of tasks with a preprocessor, on the shipped excerpts of real data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import pytest

import examples
from evertune.errors import TaskError
from evertune.kinds import kind_of
from evertune.labelling import class_indices
from evertune.preprocessing import Categories, Numbers, Preprocessor, Text
from evertune.rows import Rows
from evertune.settings import ExportSettings, LimitSettings
from evertune.splitting import split, train_rows
from evertune.tables import read_table
from evertune.task import Splits, Task
from export.pipeline import convert
from tune import presets
from tune.frameworks.keras_model import KerasLearner, model_inputs
from tune.seeding import seed_everything
from tune.strategy import Strategy
from tune.training import validation_accuracy

EXAMPLES = Path(examples.__file__).parent
LIMITS = LimitSettings(latency_seconds=10.0)
Preset = Callable[[Any, Task], Any]


def make_task(
    preset: Preset, made: Preprocessor | None, names: tuple[str, ...], columns: dict[str, list[Any]], target: str
) -> Task:
    class Raw(Task):
        name = "raw"
        labels = names
        inputs = made.outputs if made is not None else ()

        def preprocessor(self) -> Preprocessor | None:
            return made

        def load(self) -> Splits:
            assert made is not None
            return split(Rows(made.transform(columns), class_indices(columns[target], names)))

        def build(self, hp: Any) -> Any:
            return preset(hp, self)

    return Raw()


def older(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: values[train_rows(len(values))] for name, values in columns.items()}


@pytest.fixture(scope="module")
def spam() -> Task:
    columns = {name: values[:1200] for name, values in read_table(EXAMPLES / "sms_spam/messages.csv.xz").items()}
    step = Text.fit(older(columns), "text", length=32, vocabulary=1000)
    return make_task(presets.text, Preprocessor((step,)), ("ham", "spam"), columns, "label")


@pytest.fixture(scope="module")
def weather() -> Task:
    """With a made up column of seasons: the excerpt has numbers only."""
    columns = {name: values[:2000] for name, values in read_table(EXAMPLES / "weather/weather.csv.xz").items()}
    columns["season"] = [f"q{day % 365 // 92}" for day in range(2000)]
    names = [name for name in columns if name not in ("rain", "season")]
    steps = (Numbers.fit(older(columns), names), Categories.fit(older(columns), ["season"]))
    return make_task(presets.tabular, Preprocessor(steps), ("dry", "rain"), columns, "rain")


@pytest.fixture(scope="module")
def films() -> Task:
    """Each of 30 users likes one of six films best: what a recommender must at least find."""
    random = np.random.default_rng(0)
    users = random.integers(0, 30, 3000)
    chosen = np.where(random.random(3000) < 0.7, users % 6, random.integers(0, 6, 3000))
    columns = {"user": users.tolist(), "film": [f"f{film}" for film in chosen]}
    step = Categories.fit(older(columns), ["user"], output="codes")
    return make_task(presets.recommendation, Preprocessor((step,)), tuple(f"f{n}" for n in range(6)), columns, "film")


CASES = [
    ("spam", {"family": "bag"}, 0.93),
    ("spam", {"family": "cnn"}, 0.93),
    ("spam", {"family": "attention"}, 0.90),
    ("spam", {"family": "bag", "layers": 0}, 0.93),
    ("weather", {}, 0.72),
    ("weather", {"batch_normalization": False, "layers": 4}, 0.72),
    ("films", {"family": "factorization"}, 0.6),
    ("films", {"family": "tower"}, 0.6),
]


@pytest.mark.parametrize(("name", "values", "enough"), CASES)
def test_every_family_learns_real_rows_and_its_onnx_answers_alike(
    name: str, values: dict[str, Any], enough: float, request: pytest.FixtureRequest
) -> None:
    task: Task = request.getfixturevalue(name)
    splits = task.load()
    seed_everything(0)
    hps = keras_tuner.HyperParameters()
    hps.values = dict(values)
    model = task.build(hps)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.learning_rate = 5e-3
    model.fit(model_inputs(splits.train.inputs), splits.train.labels, epochs=6, batch_size=32, verbose=0)
    assert validation_accuracy(KerasLearner(model, Strategy(32)), task, splits.validation) >= enough
    _, session, parity = convert(model, task.signature, splits.validation.inputs, ExportSettings())
    assert parity.absolute <= 1e-4
    assert session.run(splits.test.inputs)["probabilities"].shape == (len(splits.test), len(task.labels))


KINDS: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [
    ("multilabel", ("wet", "cold"), {}),
    ("regression", ("price",), {"loss_scale": 100.0}),
    ("ranking", ("a", "b", "c"), {"top_k": 2}),
]


@pytest.mark.parametrize(("kind", "names", "more"), KINDS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_kind_has_its_output(weather: Task, kind: str, names: tuple[str, ...], more: dict[str, Any]) -> None:
    task = type(f"Of{kind}", (type(weather),), {"kind": kind, "labels": names, **more})()
    seed_everything(0)
    model = task.build(keras_tuner.HyperParameters())
    (output,) = task.signature.outputs
    rows = {name: value[:64] for name, value in weather.load().validation.inputs.items()}
    found = model.predict(model_inputs(rows), verbose=0)
    assert found.shape == (64, *output.shape)
    kind_of(kind).check_values(found)
    _, _, parity = convert(model, task.signature, rows, ExportSettings(), kind=task.kind, parameters=task.parameters)
    assert parity.rows == 74


@pytest.mark.parametrize("family", ["bag", "cnn", "attention"])
def test_padding_says_nothing(spam: Task, family: str) -> None:
    seed_everything(0)
    hps = keras_tuner.HyperParameters()
    hps.values = {"family": family}
    model = spam.build(hps)
    embedding = next(layer for layer in model.layers if type(layer).__name__ == "Embedding")
    tokens = np.array([[5, 9, 7] + [0] * 29, [0] * 32], np.int32)
    before = model.predict(tokens, verbose=0)
    weights = embedding.get_weights()[0]
    weights[0] += 3.0  # of the padding
    embedding.set_weights([weights])
    assert np.isfinite(before).all()
    np.testing.assert_allclose(model.predict(tokens, verbose=0), before, atol=1e-5)


def test_numbers_are_normalised_inside_the_graph_and_clipped(weather: Task) -> None:
    seed_everything(0)
    hps = keras_tuner.HyperParameters()
    hps.values = {"batch_normalization": False}
    model = weather.build(hps)
    preprocessor = weather.preprocessor()
    assert preprocessor is not None
    step = preprocessor.step(Numbers)
    mean, deviation = np.array([step.mean], np.float32), np.array([step.deviation], np.float32)
    codes = np.ones((3, 1), np.int32)
    far = np.concatenate([mean + factor * deviation for factor in (10, 11, 1e6)]).astype(np.float32)
    answers = model.predict({"numbers": far, "categories": codes}, verbose=0)
    np.testing.assert_allclose(answers[1:], answers[[0, 0]], atol=1e-5)


@pytest.mark.parametrize(
    ("preset", "mentioned"),
    [
        (presets.text, "presets.text"),
        (presets.tabular, "tabular"),
        (presets.recommendation, "recommendation"),
    ],
)
def test_a_task_without_the_steps_that_a_preset_needs_is_told_so(preset: Preset, mentioned: str) -> None:
    wrong = Numbers(("a",), (None,), (0.0,), (1.0,)) if preset is not presets.tabular else None
    task = make_task(preset, None if wrong is None else Preprocessor((wrong,)), ("a", "b"), {}, "")
    if wrong is None:
        type(task).inputs = Preprocessor((Text.fit({"t": ["a"] * 3}, "t", length=2, vocabulary=300),)).outputs
    with pytest.raises(TaskError, match=mentioned):
        task.build(keras_tuner.HyperParameters())
