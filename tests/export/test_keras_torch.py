"""Keras models on the torch backend become ONNX that answers alike, at every batch size, byte for byte the same."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import torch

from evertune.errors import ExportError
from evertune.settings import ExportSettings
from evertune.tensors import Array, Signature, TensorSpec
from export.converters.keras_torch import KerasTorchConverter
from export.pipeline import convert
from export.verify import verify

ROOT = Path(__file__).parents[2]
IMAGE = TensorSpec("image", "uint8", (28, 28))
VECTOR = TensorSpec("x", "float32", (4,))


def signature_of(*inputs: TensorSpec, classes: int = 10) -> Signature:
    return Signature(inputs, (TensorSpec("probabilities", "float32", (classes,)),))


def small(units: int = 16) -> Any:
    """The smallest image model; weights drawn from torch's generator."""
    inputs = keras.Input((28, 28), dtype="uint8", name="image")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(keras.layers.Dense(units, "relu")(hidden)))


def weights_of(model: Any) -> list[Array]:
    """As `get_weights`, which warns under numpy 2.4."""
    return [variable.value.detach().numpy() for variable in model.variables]


def set_weights(model: Any, values: list[Array]) -> None:
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)


@pytest.fixture(scope="module")
def converter() -> KerasTorchConverter:
    """Keeps its graphs over the tests that only look at the file."""
    return KerasTorchConverter()


def convolutional() -> Any:
    """What failed silently on other roads: GELU, Normalization, LayerNormalization, attention, batch normalisation."""
    inputs = keras.Input((28, 28), dtype="uint8", name="image")
    hidden = keras.layers.Reshape((28, 28, 1))(keras.layers.Rescaling(1 / 255)(inputs))
    hidden = keras.layers.Normalization(axis=-1, mean=0.3, variance=0.1)(hidden)
    hidden = keras.layers.Conv2D(4, 3, strides=4, padding="same", use_bias=False)(hidden)
    hidden = keras.layers.Activation("gelu")(keras.layers.BatchNormalization()(hidden))
    hidden = keras.layers.LayerNormalization()(keras.layers.Reshape((7, 28))(hidden))
    hidden = keras.layers.MultiHeadAttention(2, 4)(hidden, hidden)
    hidden = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling1D()(hidden))
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))


def test_layers_that_fail_elsewhere_pass_with_a_dynamic_batch(images: Array, settings: ExportSettings) -> None:
    model = convolutional()
    source, session, parity = convert(model, signature_of(IMAGE), {"image": images}, settings)
    assert parity.absolute < 1e-6
    assert parity.agreement_ratio == 1.0
    graph = onnx.ModelProto.FromString(source.model_bytes).graph
    assert [value.name for value in graph.input] == ["image"]
    assert [value.name for value in graph.output] == ["probabilities"]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert "Gelu" in {node.op_type for node in graph.node}
    assert session.run({"image": images[:5]})["probabilities"].shape == (5, 10)


def test_a_recurrent_layer_passes(settings: ExportSettings) -> None:
    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(keras.layers.LSTM(5)(inputs)))
    rows = {"x": np.random.default_rng(0).standard_normal((80, 6, 3)).astype(np.float32)}
    _, _, parity = convert(model, signature_of(TensorSpec("x", "float32", (6, 3))), rows, settings)
    assert parity.absolute < 1e-6


def test_a_masked_or_plain_loop_over_time_takes_any_number_of_rows(settings: ExportSettings) -> None:
    """Keras' own loop lists the rows of a batch, which fixes their number."""
    inputs = keras.Input((4,), dtype="int64", name="ids")
    hidden = keras.layers.Bidirectional(keras.layers.SimpleRNN(3))(keras.layers.Embedding(9, 2, mask_zero=True)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))
    rows = {"ids": np.random.default_rng(0).integers(0, 9, (80, 4))}
    _, _, parity = convert(model, signature_of(TensorSpec("ids", "int64", (4,))), rows, settings)
    assert parity.absolute < 1e-6


def test_mixed_precision_is_exported_as_it_computes_in_float32(settings: ExportSettings) -> None:
    dense = keras.layers.Dense(32, activation="relu", dtype="mixed_float16")
    model = keras.Sequential([keras.Input((4,)), dense, keras.layers.Dense(10, activation="softmax", dtype="float32")])
    rows = {"x": np.random.default_rng(0).standard_normal((80, 4)).astype(np.float32)}
    source, session, parity = convert(model, signature_of(VECTOR), rows, settings)
    assert parity.absolute < 1e-6
    assert "Cast" not in {node.op_type for node in onnx.ModelProto.FromString(source.model_bytes).graph.node}
    assert dense.compute_dtype == "float16"  # the model itself is left as it was
    mixed = model(rows["x"], training=False).detach().numpy()
    np.testing.assert_allclose(session.run(rows)["probabilities"], mixed, atol=5e-3)


def test_several_inputs_are_matched_by_name(settings: ExportSettings) -> None:
    left, right = keras.Input((3,), name="left"), keras.Input((2,), dtype="uint8", name="right")
    scaled = keras.layers.Rescaling(1 / 255)(right)
    model = keras.Model([left, right], keras.layers.Dense(10, "softmax")(keras.layers.Concatenate()([left, scaled])))
    random = np.random.default_rng(0)
    rows = {"left": random.standard_normal((80, 3)).astype(np.float32), "right": random.integers(0, 256, (80, 2), "u1")}
    declared = signature_of(TensorSpec("right", "uint8", (2,)), TensorSpec("left", "float32", (3,)))
    source, _, parity = convert(model, declared, rows, settings)
    assert parity.absolute < 1e-6
    graph = onnx.ModelProto.FromString(source.model_bytes).graph
    assert [value.name for value in graph.input] == ["right", "left"]


def test_a_model_that_was_never_called_exports(images: Array, settings: ExportSettings) -> None:
    dense = (keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10, activation="softmax"))
    model = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), *dense])
    assert not model.built
    assert convert(model, signature_of(IMAGE), {"image": images}, settings)[2].absolute < 1e-6


def test_weights_put_into_a_kept_graph_give_the_bytes_of_a_fresh_export() -> None:
    converter = KerasTorchConverter()
    model, signature = convolutional(), signature_of(IMAGE)
    before = converter.convert(model, signature)
    random = np.random.default_rng(0)
    set_weights(model, [random.random(value.shape).astype(value.dtype) for value in weights_of(model)])
    trained = converter.convert(model, signature)
    twin = convolutional()  # the same architecture under other layer names
    set_weights(twin, weights_of(model))
    other = converter.convert(twin, signature)
    assert (before.reused, trained.reused, other.reused) == (False, True, True)
    fresh = KerasTorchConverter().convert(model, signature)
    assert not fresh.reused
    assert before.model_bytes != trained.model_bytes == other.model_bytes == fresh.model_bytes


def test_a_model_is_traced_once(converter: KerasTorchConverter, images: Array) -> None:
    model, signature = small(), signature_of(IMAGE)
    first = converter.convert(model, signature, reuse=False)
    set_weights(model, [value * 0.5 for value in weights_of(model)])
    again = converter.convert(model, signature)
    assert (first.reused, again.reused) == (False, True)
    assert again.model_bytes == converter.convert(model, signature, reuse=False).model_bytes != first.model_bytes
    session = verify(again.model_bytes, signature)
    np.testing.assert_allclose(
        session.run({"image": images})["probabilities"], again.predict({"image": images})["probabilities"], atol=1e-6
    )


def test_what_a_layer_learned_beside_its_weights_is_not_taken_from_an_older_graph(settings: ExportSettings) -> None:
    random = np.random.default_rng(0)
    rows = {"x": (random.standard_normal((80, 4)) * 3 + 1).astype(np.float32)}
    normalization = keras.layers.Normalization()
    normalization.adapt(rows["x"])
    model = keras.Sequential([keras.Input((4,)), normalization, keras.layers.Dense(10, activation="softmax")])
    before, _, _ = convert(model, signature_of(VECTOR), rows, settings)
    normalization.adapt(rows["x"] * 2 + 5)
    after, _, parity = convert(model, signature_of(VECTOR), rows, settings)
    assert parity.absolute < 1e-6
    assert before.model_bytes != after.model_bytes


def test_nothing_of_the_exporting_machine_is_in_the_file(converter: KerasTorchConverter) -> None:
    content = converter.convert(small(), signature_of(IMAGE)).model_bytes
    for secret in (str(ROOT), str(Path.home()), sys.prefix, "site-packages", ".py", "keras"):
        assert secret.encode() not in content
    model = onnx.ModelProto.FromString(content)
    del model.graph.initializer[:]  # random bytes spell anything
    assert socket.gethostname() not in str(model)
    operators = " ".join(node.op_type for node in model.graph.node)
    assert operators == "Cast Mul Reshape MatMul Add Relu MatMul Add Softmax"


_EXPORT = """
import hashlib, sys
sys.path.insert(0, {root!r})
import keras, numpy as np
from evertune.tensors import Signature, TensorSpec
from export.converters.keras_torch import KerasTorchConverter
for _ in range(3):
    keras.layers.Dense(1)  # so that names count from elsewhere
inputs = keras.Input((28, 28), dtype="uint8", name="image")
hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
hidden = keras.layers.Dense(16, "relu")(hidden)
model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))
signature = Signature((TensorSpec("image", "uint8", (28, 28)),), (TensorSpec("probabilities", "float32", (10,)),))
for variable in model.variables:
    variable.assign(np.linspace(-1, 1, variable.value.numel(), dtype="float32").reshape(variable.shape))
print(hashlib.sha256(KerasTorchConverter().convert(model, signature).model_bytes).hexdigest())
print("tensorflow" in sys.modules)
"""


def test_two_processes_export_the_same_bytes_and_never_import_tensorflow(converter: KerasTorchConverter) -> None:
    model = small()
    shapes = [value.shape for value in weights_of(model)]
    set_weights(model, [np.linspace(-1, 1, np.prod(shape), dtype="float32").reshape(shape) for shape in shapes])
    here = hashlib.sha256(converter.convert(model, signature_of(IMAGE)).model_bytes).hexdigest()
    environment = os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "123"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _EXPORT.format(root=str(ROOT))],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [here, "False"]
    assert "onnx" not in done.stderr  # torch's exporter is noisy on its own; the known noise is silenced


class Bessel(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Calls an operator that ONNX does not have."""

    def call(self, x: Any) -> Any:
        return torch.special.bessel_j0(x)


class TwoRows(keras.layers.Layer):  # type: ignore[misc]
    """Fixes the number of rows."""

    def call(self, x: Any) -> Any:
        return x * len(x)


class Branch(keras.layers.Layer):  # type: ignore[misc]
    """Decides on values in Python."""

    def call(self, x: Any) -> Any:
        return x * 2 if x.sum() > 0 else x


class Broken(keras.layers.Layer):  # type: ignore[misc]
    """Raises."""

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def call(self, x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            raise RuntimeError("out of order")
        return x


class Wrapped(keras.Model):  # type: ignore[misc]
    """A subclassed model around one layer: Keras cannot describe it, torch traces it all the same."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.first = keras.layers.Dense(10, activation="relu")
        self.layer = layer
        self.last = keras.layers.Dense(10, activation="softmax")

    def call(self, x: Any, training: bool = False) -> Any:
        return self.last(self.layer(self.first(x)))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Bessel(name="odd"),
            r"does not export.*no operator for \w+\.bessel_j0 in layer 'odd'.*Replace what odd",
        ),
        (TwoRows(name="odd"), r"the model fixes the number of rows.*Use -1 or keras\.ops\.shape"),
        (Branch(name="odd"), r"layer 'odd' branches on the values.*keras\.ops\.where"),
        (Broken(name="odd"), r"does not run on the inputs.*layer 'odd'.*out of order"),
    ],
)
def test_what_does_not_export_is_named_with_its_layer(layer: Any, message: str) -> None:
    with pytest.raises(ExportError, match=message) as caught:
        KerasTorchConverter().convert(Wrapped(layer), signature_of(VECTOR))
    assert caught.value.details["layer"] == (None if isinstance(layer, TwoRows) else "odd")


def test_outputs_that_are_not_declared_are_refused() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [keras.layers.Dense(10)(inputs), keras.layers.Dense(10)(inputs)])
    with pytest.raises(ExportError, match="returns 2 outputs, the task declares"):
        KerasTorchConverter().convert(model, signature_of(VECTOR))


def test_inputs_that_do_not_fit_the_model_are_refused() -> None:
    with pytest.raises(ExportError, match=r"does not run on the inputs that Task\.inputs declares"):
        KerasTorchConverter().convert(small(), signature_of(VECTOR))


def test_another_number_of_classes_is_refused_before_tracing() -> None:
    with pytest.raises(ExportError, match=r"gives \[10\] values a row, the task has 7 labels"):
        KerasTorchConverter().convert(small(), signature_of(IMAGE, classes=7))
