"""Models and rows that the export tests share: real Fashion-MNIST rows, hand-made ONNX graphs, trained Keras models."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"  # before anything imports Keras

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import Array, Signature, TensorSpec
from examples.fashion_mnist.data import training_rows
from tests.export.fashion import Fashion

CLASSES = 10


@pytest.fixture(scope="session")
def task() -> Task:
    return Fashion()


@pytest.fixture(scope="session")
def splits(task: Task) -> Splits:
    return task.load()


@pytest.fixture
def settings() -> ExportSettings:
    return ExportSettings()


@pytest.fixture
def limits() -> LimitSettings:
    return LimitSettings(latency_seconds=10, size_bytes=100_000_000)  # tests of limits set their own


@pytest.fixture(scope="session")
def trained_mlp(splits: Splits) -> Any:
    """Two epochs on 3,000 rows: about 0.8 accuracy, in two seconds."""
    import keras
    import torch

    random.seed(0)  # Keras draws the seeds of its initializers from here, and from nowhere else
    torch.manual_seed(0)
    inputs = keras.Input((28, 28), dtype="uint8", name="image")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    for units in (128, 64):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(hidden))
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    model.fit(splits.train.inputs["image"].copy(), splits.train.labels, epochs=2, batch_size=64, verbose=0)
    return model


@pytest.fixture
def images() -> Array:
    """64 real images, uint8, shape (64, 28, 28)."""
    return training_rows().inputs["image"][:64]


@pytest.fixture
def signature() -> Signature:
    """Of the hand-made graphs: one float32 vector of four, three classes."""
    return Signature((TensorSpec("x", "float32", (4,)),), (TensorSpec("probabilities", "float32", (3,)),))


GraphMaker = Callable[..., bytes]


@pytest.fixture
def linear() -> GraphMaker:
    """Makes softmax(x @ w + b) by hand, with one thing wrong where asked."""

    def make(
        *,
        batch: int | str = "batch",
        unfed: bool = False,
        softmax: bool = True,
        classes: int = 3,
        operator: str = "Softmax",
        dtype: int = TensorProto.FLOAT,
        name: str = "x",
        scale: float = 1.0,
    ) -> bytes:
        generator = np.random.default_rng(0)
        weight = (scale * generator.standard_normal((4, classes))).astype(np.float32)
        bias = generator.standard_normal(classes).astype(np.float32)
        last = helper.make_node(operator, ["z"], ["probabilities"]) if softmax else None
        nodes = [helper.make_node("Gemm", ["cast", "w", "b"], ["z" if last else "probabilities"])]
        nodes = [helper.make_node("Cast", [name], ["cast"], to=TensorProto.FLOAT), *nodes, *([last] if last else [])]
        inputs = [helper.make_tensor_value_info(name, dtype, [batch, 4])]
        weights = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")]
        if unfed:
            inputs.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, [classes]))
            weights.pop()
        outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, classes])]
        graph = helper.make_graph(nodes, "linear", inputs, outputs, weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        model.ir_version = 10
        content: bytes = onnx.ModelProto.SerializeToString(model)
        return content

    return make
