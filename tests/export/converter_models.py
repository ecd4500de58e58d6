"""One small image model for each framework, with weights that every process draws alike; run by itself, exports one.

`KERAS_BACKEND=... python -m tests.export.converter_models NAME` prints JSON: digests, parity, and with `silent` more.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from evertune.errors import ExportError
from evertune.tensors import Array, Signature, Tensors, TensorSpec
from examples.fashion_mnist.data import training_rows

CLASSES = 10
IMAGE = Signature((TensorSpec("image", "uint8", (28, 28)),), (TensorSpec("probabilities", "float32", (CLASSES,)),))
VECTOR = Signature((TensorSpec("x", "float32", (4,)),), (TensorSpec("probabilities", "float32", (3,)),))


def keras_model() -> Any:
    import keras

    for _ in range(2):
        keras.layers.Dense(1)  # so that names count from elsewhere each time
    inputs = keras.Input((28, 28), dtype="uint8", name="image")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(16, activation="gelu")(hidden))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(hidden))
    for variable in model.weights:
        variable.assign(_values(tuple(variable.shape)))
    return model


def torch_module() -> Any:
    import torch

    class Scale(torch.nn.Module):
        def forward(self, image: Any) -> Any:
            return image.float().flatten(1) / 255

    last: Any = torch.nn.Linear(16, CLASSES)
    norm: Any = torch.nn.BatchNorm1d(16)
    model = torch.nn.Sequential(Scale(), torch.nn.Linear(784, 16), torch.nn.GELU(), norm, last)
    with torch.no_grad():
        for tensor in [*model.parameters(), norm.running_mean, norm.running_var]:
            tensor.copy_(torch.from_numpy(_values(tuple(tensor.shape))))
    model.returns_logits = True  # type: ignore[assignment]  # modules take any attribute
    return model


def pipeline() -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    rows = training_rows().take(slice(0, 300))
    model = make_pipeline(MinMaxScaler(), RandomForestClassifier(5, random_state=0))
    return model.fit(rows.inputs["image"].reshape(300, -1).astype(np.float32), rows.labels)


SECRETS = ("/tmp", "site-packages", ".py", "keras", "functional")
MODELS: dict[str, Callable[[], Any]] = {"keras": keras_model, "torch": torch_module, "sklearn": pipeline}


def _values(shape: tuple[int, ...]) -> Array:
    return (np.abs(np.random.default_rng(0).standard_normal(shape)) / 10 - 0.05 + 0.1 * (len(shape) == 1)).astype("f4")


def export(model: Any, signature: Signature = IMAGE) -> bytes:
    from export.converters import converter_for

    return converter_for(model).convert(model, signature, reuse=False).model_bytes


def sealed(model_bytes: bytes) -> list[str]:
    """Digest of the bundle, and of its attestation, which differs from run to run."""
    from evertune.bundle import BundleStore
    from evertune.task import Splits, Task
    from export import seal
    from export.candidate import Candidate
    from export.parity import Parity
    from export.result import ExportResult

    class Fashion(Task):
        name, labels, inputs = "fashion", tuple("0123456789"), IMAGE.inputs

        def load(self) -> Splits:
            rows = training_rows()
            return Splits(*(rows.take(slice(start, start + 100)) for start in (0, 100, 200, 300)))

        def build(self, hp: Any) -> Any:
            return MODELS["torch"]()

    task, candidate = Fashion(), Candidate("fp32", model_bytes)
    result = ExportResult((candidate,), candidate, "because", Parity(80, 0.0, 0.0, 1.0), 100)
    with tempfile.TemporaryDirectory() as folder:
        bundle = seal(result, task, task.load(), BundleStore(folder), lineage={"process": os.getpid()})
        return [bundle.digest, hashlib.sha256((bundle.path / "attestation.json").read_bytes()).hexdigest()]


# --- what failed silently on Keras' own road to ONNX, on TensorFlow ------------------------------------------------


def silent_failures() -> dict[str, Any]:
    """Differences to Keras of models whose file was invalid, or did not run; messages of those that are refused."""
    import keras
    import tensorflow as tf

    from evertune.settings import ExportSettings
    from export.converters.keras_tensorflow import refuse_large
    from export.pipeline import convert

    layers: Any = keras.layers
    vectors = (np.random.default_rng(0).standard_normal((80, 4)) * 3 + 1).astype(np.float32)
    sequences = np.random.default_rng(0).standard_normal((80, 6, 3)).astype(np.float32)
    normalization = layers.Normalization()
    normalization.adapt(vectors)

    narrow = keras.Sequential([keras.Input((4,), name="x"), layers.Dense(3, activation="softmax")])
    apart, here = (convert(narrow, VECTOR, {"x": vectors}, ExportSettings(), full=full)[0] for full in (True, False))

    class Odd(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
        def call(self, x: Any) -> Any:
            return tf.math.special.bessel_j0(x)

    class TwoRows(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return tf.reshape(x, (2, 4))

    class Branch(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2 if tf.reduce_sum(x) > 0 else x

    class Unsaved(keras.Model):  # type: ignore[misc]
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def call(self, x: Any) -> Any:
            return self.inner(x)

    def difference(*inner: Any, rows: Array = vectors) -> Any:
        model = keras.Sequential([*inner, layers.Dense(3, activation="softmax")])
        spec = TensorSpec("x", "float32", rows.shape[1:])
        try:
            _, session, parity = convert(model, Signature((spec,), VECTOR.outputs), {"x": rows}, ExportSettings())
        except ExportError as error:
            return str(error)
        assert [value.name for value in session._session.get_inputs()] == ["x"]
        return parity.absolute

    def large(model: Any) -> str:
        try:
            refuse_large(model, most_bytes=1000)
        except ExportError as error:
            return str(error)
        return "passed"

    def any_length() -> float:
        ids = keras.Input((None,), dtype="int64", name="ids")
        hidden = layers.LSTM(4)(layers.Embedding(9, 3)(ids))
        free = Signature((TensorSpec("ids", "int64", (None,)),), VECTOR.outputs)
        given = {"ids": np.random.default_rng(0).integers(0, 9, (80, 7))}
        model = keras.Model(ids, layers.Dense(3, activation="softmax")(hidden))
        return convert(model, free, given, ExportSettings())[2].absolute

    pair = keras.Input((3,), name="left"), keras.Input((2,), dtype="uint8", name="right")
    scaled = layers.Rescaling(1 / 255)(pair[1])
    two = keras.Model(list(pair), layers.Dense(3, activation="softmax")(layers.Concatenate()([pair[0], scaled])))
    declared = Signature((TensorSpec("right", "uint8", (2,)), TensorSpec("left", "float32", (3,))), VECTOR.outputs)
    pairs: Tensors = {"left": vectors[:, :3], "right": np.arange(160, dtype=np.uint8).reshape(80, 2)}
    numbers = keras.Input((4,), name="x")
    sides = [layers.Dense(3, activation="softmax")(numbers), layers.Dense(2)(numbers)]
    extra = Signature(VECTOR.inputs, (*VECTOR.outputs, TensorSpec("side", "float32", (2,))))
    two_outputs = convert(keras.Model(numbers, sides), extra, {"x": vectors}, ExportSettings())[2].absolute
    wide = keras.Model(numbers, layers.Dense(3, activation="softmax")(layers.Dense(300)(numbers)))
    beside, _, far = convert(wide, VECTOR, {"x": vectors}, ExportSettings(max_file_bytes=1000))
    return {
        "host side": [
            refused_layer(layers.Hashing(3)),
            refused_layer(layers.HashedCrossing(3)),
            refused_layer(layers.StringLookup(vocabulary=["a"])),
            refused_layer(layers.TextVectorization(vocabulary=["a"])),
        ],
        "apart": "the same" if apart.model_bytes == here.model_bytes else "other bytes",
        "stopped": stopped(narrow, vectors),
        "stopped here": stopped(Unsaved(narrow), vectors),
        "weights beside": far.absolute if beside.external_data else "in the graph",
        "large": large(wide),
        "two outputs": two_outputs,
        "any length": any_length(),
        "expm1": difference(
            layers.Activation("tanh_shrink"), layers.Lambda(lambda x: tf.math.log1p(tf.math.expm1(x) ** 2))
        ),
        "mixed precision": difference(layers.Dense(16, activation="relu", dtype="mixed_float16")),
        "lookup": difference(layers.IntegerLookup(vocabulary=[1, 2], name="table")),
        "two inputs": convert(two, declared, pairs, ExportSettings())[2].absolute,
        "gelu": difference(layers.Dense(8, activation="gelu")),
        "normalization": difference(normalization),
        "layer normalization": difference(layers.LayerNormalization()),
        "lstm": difference(layers.LSTM(5), rows=sequences),
        "gru": difference(layers.GRU(5), rows=sequences),
        "odd": difference(Odd(name="odd")),
        "discretization": difference(layers.Discretization(bin_boundaries=[0.0, 1.0], name="bins")),
        "rows": difference(TwoRows(name="pair")),
        "branch": difference(Branch(name="fork")),
    }


def stopped(model: Any, rows: Any) -> str:
    """The message of a full export that has no time."""
    from evertune.settings import ExportSettings
    from export.pipeline import convert

    try:
        convert(model, VECTOR, {"x": rows}, ExportSettings(route_timeout_seconds=0.01), full=True)
    except ExportError as error:
        return error.message
    return "exported"


def refused_layer(layer: Any) -> Any:
    """The kind of layer that is refused before anything is traced."""
    import keras

    from export.converters.host_side import refuse_host_side

    try:
        refuse_host_side(keras.Sequential([layer]))
    except ExportError as error:
        return error.details["operator"]
    return None


def main() -> None:
    name = sys.argv[1]
    from export.converters import converter_for
    from export.parity import compare
    from export.verify import verify

    model = MODELS[name]()
    source = converter_for(model).convert(model, IMAGE)
    images = {"image": training_rows().inputs["image"][:80]}
    parity = compare(verify(source.model_bytes, IMAGE), source.predict, images, absolute=1e-4)
    keys = [converter_for(each).architecture(each, IMAGE, "classification") for each in (model, MODELS[name]())]
    told = {
        "one key": None not in keys and len(set(keys)) == 1,  # names differ: Keras numbers its layers on
        "digest": hashlib.sha256(source.model_bytes).hexdigest(),
        "again": hashlib.sha256(export(MODELS[name]())).hexdigest(),
        "parity": parity.absolute,
        "secrets": [
            word
            for word in ("/tmp", "site-packages", ".py", "keras", "functional")
            if word.encode() in source.model_bytes
        ],
        "silent": silent_failures() if "silent" in sys.argv else {},
        "frameworks": [each for each in ("torch", "tensorflow") if each in sys.modules],
        "bundle": sealed(source.model_bytes),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
