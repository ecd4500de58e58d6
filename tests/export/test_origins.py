"""Models that were not tuned here: what loads, and what is refused before any code of the file runs."""

from __future__ import annotations

import hashlib
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evertune.errors import EvertuneError, ExportError, InputError
from export.origins import load_model

# Keras 3.15 on torch: its arrays do not know numpy 2's copy keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

_NETS = """
import torch

class Net(torch.nn.Linear):
    def __init__(self):
        super().__init__(4, 3)

def broken(units):
    return units

ready = Net()
plain = 3
"""


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras imports TensorFlow, ten seconds, only to ask whether a value is of one of its types."""
    from keras.src.utils.module_utils import tensorflow

    monkeypatch.setattr(tensorflow, "_available", False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder, with a module of a name of its own."""
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"nets_{os.urandom(4).hex()}"
    (tmp_path / f"{name}.py").write_text(_NETS)
    yield tmp_path
    sys.modules.pop(name, None)


@pytest.fixture
def module(folder: Path) -> str:
    return next(folder.glob("nets_*.py")).stem


class _Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return (Path.touch, (Path(self.path),))


def keras_file(path: Path, *layers: Any) -> Path:
    import keras

    inputs = keras.Input((4,), name="x")
    value = inputs
    for layer in layers:
        value = layer(value)
    keras.Model(inputs, value).save(path)
    return path


def refusal(reference: object, **options: Any) -> EvertuneError:
    with pytest.raises(EvertuneError) as caught:
        load_model(str(reference), **options)
    assert caught.value.fix
    return caught.value


def test_a_keras_file_answers_as_the_model_that_was_saved(folder: Path) -> None:
    import keras

    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", kernel_regularizer="l2")(inputs))
    model.save("model.keras")
    loaded = load_model("model.keras")
    rows = np.eye(4, dtype=np.float32)
    np.testing.assert_array_equal(loaded.model.predict(rows, verbose=0), model.predict(rows, verbose=0))
    assert loaded.origin["sha256"] == hashlib.sha256(Path("model.keras").read_bytes()).hexdigest()
    assert (loaded.origin["file"], loaded.origin["keras_version"]) == ("model.keras", keras.__version__)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_python_functions_in_a_keras_file_are_refused_by_layer(folder: Path) -> None:
    import keras

    for layer in (
        keras.layers.Lambda(lambda x: x * 2, name="twice"),
        keras.layers.Dense(2, activation=lambda x: x * 2, name="twice"),
    ):
        error = refusal(keras_file(folder / "model.keras", layer))
        assert isinstance(error, ExportError)
        assert error.details.get("layer") == "twice", error.message
        assert "safe mode" in error.message


def test_an_own_layer_must_be_registered(folder: Path) -> None:
    import keras

    class Twice(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        def call(self, x: Any) -> Any:
            return x * 2

    path = keras_file(folder / "model.keras", Twice(name="mine"))
    assert "'mine' is of the class 'Twice'" in refusal(path).message
    with keras.saving.custom_object_scope({"Twice": Twice}):
        loaded = load_model(str(path)).model
    assert loaded.predict(np.ones((1, 4), np.float32), verbose=0).tolist() == [[2.0] * 4]


def test_what_is_no_keras_file_is_refused(folder: Path) -> None:
    Path("model.keras").write_bytes(b"nothing")
    assert "no .keras file" in refusal("model.keras").message
    with zipfile.ZipFile("model.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "[1]")
    assert "config.json is not an object" in refusal("model.keras").message


def test_an_import_path_takes_factories_modules_and_weights(folder: Path, module: str) -> None:
    import torch

    torch.save({"state_dict": {"weight": torch.ones(3, 4), "bias": torch.zeros(3)}, "epoch": 7}, "net.pt")
    loaded = load_model(f"{module}:Net", weights=Path("net.pt"))
    assert loaded.model.weight.tolist() == [[1.0] * 4] * 3
    assert loaded.origin["weights"]["sha256"] == hashlib.sha256(Path("net.pt").read_bytes()).hexdigest()
    assert loaded.origin["source"]["file"] == f"{module}.py"
    assert type(load_model(f"{module}:ready").model).__name__ == "Net"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("{}:missing", "has no 'missing'"),
        ("{}:broken", "broken() failed: TypeError"),
        ("{}_not:Net", "does not import: ModuleNotFoundError"),
        ("{}.py:Net", "is not taken"),
    ],
)
def test_import_paths_that_lead_nowhere(folder: Path, module: str, name: str, told: str) -> None:
    assert told in refusal(name.format(module)).message


def test_weights_are_tensors_and_nothing_else(folder: Path, module: str) -> None:
    import torch

    torch.save({"weight": _Bomb(folder / "boom")}, "bomb.pt")
    torch.save({"weight": torch.ones(3, 4)}, "half.pt")
    torch.save([1, 2], "list.pt")
    told = {
        "bomb.pt": "more than tensors",
        "half.pt": 'Missing key(s) in state_dict: "bias"',
        "list.pt": "holds a list",
        "none.pt": "there is no file",
        "weights.npz": "is no file of weights",
    }
    for name, words in told.items():
        assert words in refusal(f"{module}:Net", weights=Path(name)).message
    assert not (folder / "boom").exists()
    assert "is for torch modules" in refusal(f"{module}:plain", weights=Path("half.pt")).message


def test_a_pickle_runs_only_when_the_user_says_so(folder: Path) -> None:
    Path("model.joblib").write_bytes(pickle.dumps(_Bomb(folder / "boom")))
    error = refusal("model.joblib")
    assert "--unpickle" in str(error.fix)
    assert not (folder / "boom").exists()
    load_model("model.joblib", unpickle=True)
    assert (folder / "boom").exists()


def test_a_pickle_of_another_scikit_learn_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import joblib
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier().fit(np.eye(3), [0, 1, 2])
    joblib.dump(model, "now.joblib")
    with monkeypatch.context() as old:
        old.setattr("sklearn.base.__version__", "0.24.0")
        joblib.dump(model, "then.joblib")
    assert load_model("now.joblib", unpickle=True).model.predict(np.eye(3)).tolist() == [0, 1, 2]
    assert "scikit-learn 0.24.0" in refusal("then.joblib", unpickle=True).message


@pytest.mark.parametrize("name", ["model.h5", "model.onnx", "saved_model.pb", "net.pt", "net.safetensors", "nets.py"])
def test_other_formats_say_what_to_do_instead(folder: Path, name: str) -> None:
    Path(name).write_bytes(b"")
    assert isinstance(refusal(name), ExportError)


@pytest.mark.parametrize("name", ["model.txt", "model", "none.keras", "none.joblib"])
def test_what_is_no_model_lists_the_ways(folder: Path, name: str) -> None:
    assert isinstance(refusal(name), InputError)
    with pytest.raises(InputError, match="import path"):
        load_model("model.keras", weights=Path("net.pt"))
