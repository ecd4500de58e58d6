"""One contract for every converter: any batch, the same bytes everywhere, nothing of this machine, clear refusals."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.semi_supervised import LabelPropagation
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import Array, Signature, Tensors, TensorSpec
from export import FP32, export_model
from export.converters import CONVERTERS, converter_for
from export.converters.sklearn_rows import matrix
from export.converters.torch_module import TorchModuleConverter
from export.parity import compare
from export.pipeline import convert
from export.verify import verify
from tests.export.converter_models import CLASSES, IMAGE, MODELS, VECTOR, export, sealed

SETTINGS = ExportSettings()
HERE = ["keras", "torch", "sklearn"]  # on the torch backend; TensorFlow has a process of its own


def in_process(name: str, *arguments: str, backend: str, hash_seed: str) -> dict[str, Any]:
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONHASHSEED": hash_seed, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "tests.export.converter_models", name, *arguments]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize("name", HERE)
def test_every_batch_size_answers_as_the_source(name: str, images: Array) -> None:
    model = MODELS[name]()
    source = converter_for(model).convert(model, IMAGE, reuse=False)
    session = verify(source.model_bytes, IMAGE)
    assert compare(session, source.predict, {"image": images}, absolute=1e-5).agreement_ratio == 1.0
    for rows in (1, 2, 7, 64):
        assert session.run({"image": images[:rows]})["probabilities"].shape == (rows, CLASSES)


@pytest.mark.parametrize(("name", "frameworks"), [("torch", ["torch"]), ("sklearn", [])])
def test_another_process_exports_the_same_bytes_with_nothing_of_this_machine(name: str, frameworks: list[str]) -> None:
    model_bytes = export(MODELS[name]())
    there = in_process(name, backend="torch", hash_seed="77")
    assert {there["digest"], there["again"]} == {hashlib.sha256(model_bytes).hexdigest()}
    bundle, attestation = sealed(model_bytes)
    assert there["bundle"][0] == bundle  # the same weights exported twice
    assert there["bundle"][1] != attestation  # hashed apart
    assert (there["secrets"], there["frameworks"]) == ([], frameworks)


def test_keras_on_tensorflow_keeps_the_contract_and_what_failed_silently_passes_or_is_refused() -> None:
    """Two processes: one backend each, and the order of sets differs between them."""
    first, second = (in_process("keras", "silent", backend="tensorflow", hash_seed=seed) for seed in "12")
    assert {first["digest"], first["again"], second["digest"]} == {first["digest"]}
    assert first["bundle"][0] == second["bundle"][0]
    assert first["parity"] < 1e-5
    assert first["one key"]
    assert (first["secrets"], first["frameworks"]) == ([], ["tensorflow"])
    found = first["silent"]
    passing = ("two inputs", "two outputs", "gelu", "normalization", "layer normalization", "lstm", "gru", "any length")
    for name in (*passing, "weights beside", "discretization", "expm1", "mixed precision"):
        assert found[name] < 1e-5, name
    assert "ONNX has no operator for BesselJ0 in layer 'odd'" in found["odd"]
    assert "layer 'table' is a IntegerLookup" in found["lookup"]
    assert "Task.preprocessor" in found["lookup"]
    assert found["host side"] == ["Hashing", "HashedCrossing", "StringLookup", "TextVectorization"]
    assert "layer 'pair' fixes the number of rows" in found["rows"]
    assert "layer 'fork' branches on the values" in found["branch"]
    assert found["apart"] == "the same"  # a full export runs in a process of its own, which can be stopped
    for stopped in ("stopped", "stopped here"):  # in that process; in this one, for a model that cannot be saved
        assert "took longer than export.route_timeout_seconds = 0.01" in found[stopped], found[stopped]
    assert "9,612 bytes of weights, TensorFlow's graph holds 1,000" in found["large"]


@pytest.mark.parametrize("name", ["keras", "torch"])
def test_the_untrained_graph_is_used_again_with_new_weights(name: str) -> None:
    model, converter = MODELS[name](), type(converter_for(MODELS[name]()))()
    before = converter.convert(model, IMAGE)
    parameters = model.parameters() if name == "torch" else [variable.value for variable in model.trainable_variables]
    with torch.no_grad():
        for parameter in parameters:
            parameter.mul_(0.5)
    after = converter.convert(model, IMAGE)
    assert (before.reused, after.reused) == (False, True)
    assert before.model_bytes != after.model_bytes == type(converter)().convert(model, IMAGE).model_bytes


@pytest.mark.parametrize("name", HERE)
def test_another_number_of_classes_is_refused_or_filled_with_zeros(name: str, images: Array) -> None:
    narrower, wider = (
        Signature(IMAGE.inputs, (TensorSpec("probabilities", "float32", (count,)),)) for count in (8, 12)
    )
    model = MODELS[name]()
    with pytest.raises(ExportError, match=r"gives \[10\] values a row, the task has 8 labels"):
        convert(model, narrower, {"image": images}, SETTINGS)
    if name == "sklearn":  # classes that no training row had
        _, session, _ = convert(model, wider, {"image": images}, SETTINGS)
        assert (session.run({"image": images})["probabilities"][:, 10:] == 0).all()
    else:
        with pytest.raises(ExportError, match=r"gives \[10\] values a row, the task has 12 labels"):
            convert(model, wider, {"image": images}, SETTINGS)


def test_an_unknown_framework_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ExportError, match=r"type builtins\.str") as caught:
        converter_for("a model")
    assert all(converter.name in str(caught.value) for converter in CONVERTERS)


# --- torch modules ------------------------------------------------------------------------------------------------


class Odd(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.special.bessel_j0(x)


class Rowwise(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x * len(x)


class Flat(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.ops.aten.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None])[:, 0]


class Fork(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x * 2 if x.sum() > 0 else x


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Odd(), r"no operator for \w+\.bessel_j0 in layer 'odd'.*Replace what odd computes with torch operations"),
        (Rowwise(), r"fixes the number of rows.*Use -1 or x\.shape\[0\]"),
        (Flat(), r"aten\.scaled_dot_product_attention in layer 'odd': only 4D query"),
        (Fork(), r"layer 'odd' branches on the values.*torch\.where"),
    ],
)
def test_what_does_not_export_is_named_with_its_place_in_the_module(part: Any, message: str) -> None:
    module = torch.nn.Sequential()
    module.add_module("odd", part)
    module.add_module("last", torch.nn.Linear(4, 3))
    with pytest.raises(ExportError, match=message):
        TorchModuleConverter().convert(module, VECTOR)


def test_a_second_output_is_declared_and_proved_or_refused() -> None:
    class Two(torch.nn.Module):
        def __init__(self, as_dict: bool) -> None:
            super().__init__()
            self.last, self.as_dict = torch.nn.Linear(4, 3), as_dict

        def forward(self, x: Any) -> Any:
            answer = self.last(x).softmax(-1)
            return {"half": x / 2, "probabilities": answer} if self.as_dict else (answer, x / 2)

    rows = {"x": np.random.default_rng(0).standard_normal((80, 4)).astype(np.float32)}
    for module in (Two(False), Two(True)):
        with pytest.raises(ExportError, match=r"the task declares \['probabilities'\].*Task\.extra_outputs"):
            convert(module, VECTOR, rows, SETTINGS)
        declared = Signature(VECTOR.inputs, (*VECTOR.outputs, TensorSpec("half", "float32", (4,))))
        _, session, _ = convert(module, declared, rows, SETTINGS)
        np.testing.assert_allclose(session.run(rows)["half"], rows["x"] / 2, rtol=1e-6)


def test_attention_over_three_axes_is_given_the_fourth_that_the_exporter_asks_for() -> None:
    class Attention(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            mask = torch.ones(2, 2, dtype=torch.bool).tril()
            steps = x.reshape(-1, 2, 2)
            attended = torch.nn.functional.scaled_dot_product_attention(steps, steps, steps, attn_mask=mask)
            return torch.cat([attended.flatten(1)[:, :3]], 1).softmax(-1)

    rows = {"x": np.random.default_rng(0).standard_normal((80, 4)).astype(np.float32)}
    assert convert(Attention(), VECTOR, rows, SETTINGS)[2].absolute < 1e-6


def test_weights_of_sixteen_bits_are_refused_by_name() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 3).to(torch.bfloat16))
    with pytest.raises(ExportError, match=r"'0\.weight' is bfloat16.*module\.float\(\)"):
        TorchModuleConverter().convert(module, VECTOR)


def test_logits_get_the_softmax_or_sigmoid_that_they_lack_and_logits_alone_are_refused() -> None:
    rows = {"x": np.random.default_rng(0).standard_normal((80, 4)).astype(np.float32)}
    module = torch.nn.Linear(4, 3)
    with pytest.raises(ExportError, match="not probabilities"):
        convert(module, VECTOR, rows, SETTINGS)
    module.returns_logits = True  # type: ignore[assignment]  # modules take any attribute
    _, session, _ = convert(module, VECTOR, rows, SETTINGS)
    assert session.run(rows)["probabilities"].sum(axis=1) == pytest.approx(np.ones(80), abs=1e-5)
    several = verify(TorchModuleConverter().convert(module, VECTOR, kind="multilabel").model_bytes, VECTOR)
    with torch.no_grad():
        expected = module(torch.tensor(rows["x"])).sigmoid().numpy()
    np.testing.assert_allclose(several.run(rows)["probabilities"], expected, atol=1e-6)


def test_dropout_and_batch_normalisation_are_exported_as_they_answer_not_as_they_train() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.9), Last())
    module.train()
    source = TorchModuleConverter().convert(module, VECTOR)
    rows = {"x": np.random.default_rng(0).standard_normal((80, 4)).astype(np.float32)}
    compare(verify(source.model_bytes, VECTOR), source.predict, rows, absolute=1e-5)


class Last(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.linear(x).softmax(-1)


# --- scikit-learn -------------------------------------------------------------------------------------------------

SPECS = (TensorSpec("a", "float32", (2, 3)), TensorSpec("b", "uint8", (4,)), TensorSpec("c", "int64", ()))


@pytest.fixture(scope="module")
def mixed() -> Tensors:
    """Columns of very different size, as tables have them."""
    random = np.random.default_rng(0)
    scales = np.array([1, 10, 1000], np.float32)
    return {
        "a": (random.standard_normal((300, 2, 3)) * scales).astype(np.float32),
        "b": random.integers(0, 255, (300, 4), "u1"),
        "c": random.integers(0, 9, 300),
    }


def answers(count: int, name: str = "probabilities") -> Signature:
    return Signature(SPECS, (TensorSpec(name, "float32", (count,)),))


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(10, random_state=0),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
        make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)),
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        GaussianNB(),
        VotingClassifier(
            [("a", GaussianNB()), ("b", DecisionTreeClassifier(max_depth=3))], voting="soft", weights=[1, 3]
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_several_inputs_are_flattened_cast_and_joined_in_the_graph_and_missing_classes_filled(
    model: Any, mixed: Tensors
) -> None:
    x = matrix(mixed, SPECS)
    labels = np.array([0, 2, 4])[(x[:, 0] > 0).astype(int) + (x[:, 7] > 100)]
    model.fit(x, labels)
    source, session, parity = convert(model, answers(5), mixed, SETTINGS)
    assert parity.absolute < 1e-5
    found = session.run(mixed)["probabilities"]
    assert (found[:, [1, 3]] == 0).all()
    assert (found.argmax(axis=1) == labels).mean() > 0.8
    assert [value.name for value in onnx.ModelProto.FromString(source.model_bytes).graph.input] == ["a", "b", "c"]


@pytest.mark.parametrize("model", [Ridge(), HistGradientBoostingRegressor(max_iter=5)], ids=["linear", "trees"])
def test_a_regressor_gives_one_column_of_numbers(model: Any, mixed: Tensors) -> None:
    model.fit(matrix(mixed, SPECS), mixed["a"][:, 0, 1])
    source = converter_for(model).convert(model, answers(1, "value"), kind="regression")
    session = verify(source.model_bytes, answers(1, "value"))
    np.testing.assert_allclose(session.run(mixed)["value"], source.predict(mixed)["value"], rtol=1e-4, atol=1e-4)
    assert session.run(mixed)["value"].shape == (300, 1)


@pytest.mark.parametrize(
    "model",
    [OneVsRestClassifier(GaussianNB()), ExtraTreesClassifier(5, random_state=0)],
    ids=["one model a label", "forest"],
)
def test_several_labels_hold_at_once(model: Any, mixed: Tensors) -> None:
    x = matrix(mixed, SPECS)
    truth = np.stack([x[:, 0] > 0, x[:, 7] > 100, x[:, 1] > 0], axis=1).astype(np.uint8)
    model.fit(x, truth)
    source = converter_for(model).convert(model, answers(3), kind="multilabel")
    found = verify(source.model_bytes, answers(3)).run(mixed)["probabilities"]
    np.testing.assert_allclose(found, source.predict(mixed)["probabilities"], atol=1e-4)
    assert ((found > 0.5) == truth).mean() > 0.8


@pytest.mark.parametrize("model", [ExtraTreesClassifier(5, random_state=0), DecisionTreeClassifier(random_state=0)])
def test_trees_send_missing_values_where_they_learned_to(model: Any) -> None:
    """skl2onnx drops that; the rows here have no gaps, the parity check makes some."""
    random = np.random.default_rng(0)
    values = random.standard_normal((300, 3)).astype(np.float32)
    gaps = values.copy()
    gaps[random.random(values.shape) < 0.3] = np.nan
    model.fit(gaps, (values[:, 0] > 0).astype(int) + np.isnan(gaps[:, 1]))
    inputs = (TensorSpec("x", "float32", (3,), missing=True),)
    signature = Signature(inputs, (TensorSpec("probabilities", "float32", (3,)),))
    _, session, parity = convert(model, signature, {"x": values}, SETTINGS)
    assert parity.absolute < 1e-5
    np.testing.assert_allclose(session.run({"x": gaps})["probabilities"], model.predict_proba(gaps), atol=1e-5)


def test_thresholds_that_only_float64_tells_apart_are_caught() -> None:
    """Neighbouring numbers, normalised in float32 by the graph and in float64 by scikit-learn, part at a threshold."""
    random = np.random.default_rng(0)
    columns = (1000 + random.integers(0, 8, (400, 2)) * 2.0**-14).astype(np.float32)
    model = make_pipeline(Normalizer(), ExtraTreesClassifier(50, random_state=0))
    model.fit(columns, random.integers(0, 2, 400))
    trap = Signature((TensorSpec("x", "float32", (2,)),), (TensorSpec("probabilities", "float32", (2,)),))
    with pytest.raises(ExportError, match="the exported model is off by"):
        convert(model, trap, {"x": columns}, SETTINGS)


def test_what_skl2onnx_does_not_know_is_named(mixed: Tensors) -> None:
    model = make_pipeline(StandardScaler(), LabelPropagation())
    x = matrix(mixed, SPECS)
    model.fit(x, (x[:, 0] > 0).astype(int))
    with pytest.raises(ExportError, match=r"LabelPropagation \(step 'labelpropagation'\)"):
        convert(model, answers(2), mixed, SETTINGS)
    with pytest.raises(ExportError, match=r"LinearSVC gives no probabilities.*CalibratedClassifierCV"):
        convert(LinearSVC().fit(x, (x[:, 0] > 0).astype(int)), answers(2), mixed, SETTINGS)
    with pytest.raises(ExportError, match="is not fitted"):
        convert(GaussianNB(), answers(2), mixed, SETTINGS)


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (make_pipeline(TfidfVectorizer(), GaussianNB()), ["win a prize", "see you"], r"TfidfVectorizer \(step 'tfid"),
        (make_pipeline(StandardScaler(), Ridge()), np.eye(2, 3), r"StandardScaler \(step 'standardscaler'\): X has 11"),
    ],
    ids=["texts", "other columns"],
)
def test_what_does_not_run_on_the_declared_inputs_is_named_with_its_step(
    model: Any, given: Any, message: str, mixed: Tensors
) -> None:
    steps = make_pipeline(*[step for _, step in model.steps[:-1]])
    columns = steps.fit_transform(given)
    model.steps[-1][1].fit(columns.toarray() if hasattr(columns, "toarray") else columns, [0, 1])
    with pytest.raises(ExportError, match=rf"does not run on 11 columns.*{message}.*Task\.preprocessor"):
        convert(model, answers(2), mixed, SETTINGS)


class Table(Task):
    """Columns in place of images."""

    name = "table"
    labels = ("no", "yes")
    inputs = SPECS

    def load(self) -> Splits:
        raise NotImplementedError

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("model", "quantized"),
    [(RandomForestClassifier(10, random_state=0), False), (MLPClassifier((16,), max_iter=20, random_state=0), True)],
    ids=["trees", "perceptron"],
)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_trees_have_nothing_to_quantize_and_say_so(model: Any, quantized: bool, mixed: Tensors) -> None:
    x = matrix(mixed, SPECS)
    rows = Rows(mixed, (x[:, 0] > 0).astype(np.int64))
    model.fit(x, rows.labels)
    limits = LimitSettings(latency_seconds=10, size_bytes=10_000_000)
    result = export_model(
        model, Table(), Splits(rows, rows, rows, rows), settings=SETTINGS, limits=limits, seed=0, quick=True
    )
    reasons = [candidate.refused for candidate in result.candidates if candidate.recipe != FP32]
    if quantized:
        assert any(candidate.size_bytes for candidate in result.candidates[1:])
    else:
        assert reasons == ["has neither a matrix product nor a convolution to quantize"] * 3
        assert result.chosen.recipe == FP32
