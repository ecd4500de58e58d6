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
from evertune.history import last_items
from evertune.kinds import kind_of
from evertune.labelling import class_indices
from evertune.preprocessing import Categories, Hashed, Numbers, Preprocessor, Text
from evertune.rows import Rows
from evertune.settings import ExportSettings, LimitSettings
from evertune.splitting import split, train_rows
from evertune.tables import read_table
from evertune.task import Splits, Task
from export.pipeline import convert
from tune import presets
from tune.frameworks import Lesson
from tune.frameworks.keras_model import model_inputs
from tune.hypermodel import TaskHyperModel
from tune.presets._estimators import ESTIMATORS
from tune.presets._gru import gru
from tune.presets._text import FAMILIES
from tune.seeding import seed_everything
from tune.space import active
from tune.training import train

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
def chain() -> Task:
    """A user who chose a film goes on to its successor: only the history tells, and most users are new."""
    random = np.random.default_rng(0)
    films = [(start + step) % 6 for start in random.integers(0, 6, 500) for step in range(4)]
    users = [f"u{row // 4}" for row in range(len(films))]
    labels = tuple(f"f{n}" for n in range(6))
    recent = ("last_1", "last_2")
    columns = {"user": users, "film": [labels[film] for film in films]}
    columns |= last_items(users, columns["film"], recent)
    users_step = Categories.fit(older(columns), ["user"], output="codes", min_count=4)
    history = Categories(recent, (labels,) * 2, output="history")
    return make_task(presets.recommendation, Preprocessor((users_step, history)), labels, columns, "film")


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
    ("spam", {"family": "gru"}, 0.93),
    ("spam", {"family": "transformer", "transformer_blocks": 2}, 0.90),
    ("weather", {"batch_normalization": False, "layers": 4}, 0.72),
    ("weather", {"family": "residual"}, 0.72),
    ("weather", {"family": "boosting", "boosting_rounds": 30}, 0.72),
    ("weather", {"family": "forest", "forest_trees": 20}, 0.72),
    ("weather", {"family": "linear"}, 0.72),
    ("films", {"family": "factorization"}, 0.6),
    ("films", {"family": "ncf"}, 0.6),
    ("chain", {"family": "two_tower"}, 0.7),
]


@pytest.mark.parametrize(("name", "values", "enough"), CASES)
def test_every_family_learns_real_rows_and_its_onnx_answers_alike(
    name: str, values: dict[str, Any], enough: float, request: pytest.FixtureRequest
) -> None:
    task: Task = request.getfixturevalue(name)
    splits = task.load()
    seed_everything(0)
    hps = keras_tuner.HyperParameters()
    hps.values = {"batch_size": 32, "learning_rate": 5e-3, "schedule": "constant", **values}
    _, learner = TaskHyperModel(task, splits, 6).learner(hps)
    trained = train(learner, task, splits, epochs=6, seed=0, report=lambda *_: True)
    assert trained.accuracy >= enough
    _, session, parity = convert(learner.exported(), task.signature, splits.validation.inputs, ExportSettings())
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


@pytest.mark.parametrize("kind", ["regression", "multilabel"])
@pytest.mark.parametrize("family", ESTIMATORS)
def test_estimators_answer_other_kinds_too(weather: Task, family: str, kind: str) -> None:
    names, more = {"regression": (("price",), {"loss_scale": 3.0}), "multilabel": (("wet", "cold"), {})}[kind]
    task = type(f"Of{kind}", (type(weather),), {"kind": kind, "labels": names, **more})()
    splits = weather.load()
    rows, numbers = splits.train, splits.train.inputs["numbers"][:, :2]
    labels = numbers[:, 0] if kind == "regression" else (numbers > numbers.mean(axis=0)).astype(np.uint8)
    hps = keras_tuner.HyperParameters()
    hps.values = {"family": family, "boosting_rounds": 30, "forest_trees": 20}
    _, learner = TaskHyperModel(task, splits, 1).learner(hps)
    learner.train_epoch(Lesson(rows.inputs, labels, None), epoch=0, seed=0)
    (output,) = task.signature.outputs
    inputs = {name: value[:64] for name, value in splits.validation.inputs.items()}
    assert learner.predict(inputs).shape == (64, *output.shape)
    model = learner.exported()
    _, _, parity = convert(model, task.signature, inputs, ExportSettings(), kind=kind, parameters=task.parameters)
    assert parity.rows == 74


@pytest.mark.parametrize("family", ["mlp", "linear"])
def test_hashed_columns_are_categories(family: str) -> None:
    """The class is the number's sign, or, for one of three users, its opposite."""
    random = np.random.default_rng(0)
    users, x = random.integers(0, 3, 1500), random.normal(size=1500)
    columns = {
        "user": [f"u{user}" for user in users],
        "x": x.tolist(),
        "y": [["no", "yes"][int((number > 0) ^ (user == 0))] for number, user in zip(x, users, strict=True)],
    }
    steps = (Numbers.fit(older(columns), ["x"]), Hashed(("user",), (50,)))
    task = make_task(presets.tabular, Preprocessor(steps), ("no", "yes"), columns, "y")
    splits = task.load()
    seed_everything(0)
    hps = keras_tuner.HyperParameters()
    hps.values = {"family": family, "batch_size": 32, "learning_rate": 1e-2, "schedule": "constant"}
    _, learner = TaskHyperModel(task, splits, 4).learner(hps)
    trained = train(learner, task, splits, epochs=4, seed=0, report=lambda *_: True)
    assert trained.accuracy > (0.9 if family == "mlp" else 0.5)  # no line does it
    _, session, _ = convert(learner.exported(), task.signature, splits.validation.inputs, ExportSettings())
    assert session.run(splits.test.inputs)["probabilities"].shape == (len(splits.test), 2)


@pytest.mark.parametrize("family", ["mlp", "residual", *ESTIMATORS])
def test_what_is_searched_is_what_matters_to_the_family(weather: Task, family: str) -> None:
    hps = keras_tuner.HyperParameters()
    hypermodel = TaskHyperModel(weather, weather.load(), 10)
    for each in ("mlp", "residual", *ESTIMATORS):
        hps.values["family"] = each
        hps.ensure_active_values()
        hypermodel.learner(hps)
    found = set(active(hps.space, {**{hp.name: hp.default for hp in hps.space}, "family": family}))
    own = {"mlp": {"layers", "units", "batch_normalization"}}.get(family) or {
        hp.name for hp in hps.space if hp.name.startswith(f"{family}_")
    }
    shared = {"activation", "dropout", "embedding_ratio"}
    strategy = {"batch_size", "class_weights", "patience_epochs", "schedule", "optimizer", "learning_rate", "loss",
                "label_smoothing"}  # fmt: skip
    assert own
    assert found == {"family"} | own | (set() if family in ESTIMATORS else shared | strategy)


def test_the_gru_is_that_of_keras() -> None:
    import keras

    seed_everything(0)
    x = np.random.default_rng(0).normal(size=(3, 7, 5)).astype(np.float32)
    ours, theirs = gru(4), keras.layers.GRU(4, return_sequences=True)
    expected = np.asarray(keras.ops.convert_to_numpy(theirs(x)))
    ours.build(x.shape)
    ours.set_weights([*theirs.get_weights()[:2], np.random.default_rng(1).normal(size=(2, 12))])
    theirs.set_weights(ours.get_weights())
    assert np.abs(expected - keras.ops.convert_to_numpy(theirs(x))).max() > 0.01
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours(x)), keras.ops.convert_to_numpy(theirs(x)), atol=1e-6)


def test_a_history_that_does_not_know_the_labels_is_refused(chain: Task) -> None:
    other = type("Other", (type(chain),), {"labels": ("f0", "f1")})()
    with pytest.raises(TaskError, match=r"'history' of task 'raw' do not know its labels"):
        other.build(keras_tuner.HyperParameters())


@pytest.mark.parametrize("family", FAMILIES)
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
