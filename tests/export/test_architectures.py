"""What is measured and traced once for all models that compute the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Task
from evertune.tensors import Signature, TensorSpec
from export import architectures_in, measure_untrained
from export.converters.keras_torch import KerasTorchConverter
from export.converters.torch_module import TorchModuleConverter

LOOSE = LimitSettings(latency_seconds=10.0)


def dense(units: int, activation: str = "relu", scale: float = 255.0) -> Any:
    image = keras.Input((28, 28), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / scale)(image))
    x = keras.layers.Dense(units, activation=activation)(x)
    model = keras.Model(image, keras.layers.Dense(10, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(10.0 ** -np.random.default_rng().uniform(1, 4)), "mse")
    return model


def test_the_key_tells_what_a_model_computes_and_neither_weights_nor_names_nor_training(task: Task) -> None:
    def key(model: Any) -> str | None:
        return KerasTorchConverter().architecture(model, task.signature, task.kind)

    same = {key(dense(16)), key(dense(16))}
    others = [key(dense(17)), key(dense(16, "tanh")), key(dense(16, scale=127.0))]
    assert len(same) == 1
    assert len({*same, *others}) == 4
    assert None not in {*same, *others}
    assert key(keras.Sequential([keras.layers.Dense(10), keras.layers.Reshape((3,))])) is None


def test_an_architecture_is_measured_once_by_all_processes(task: Task, tmp_path: Path) -> None:
    settings = ExportSettings()
    with architectures_in(tmp_path):
        first = measure_untrained(dense(16), task, settings=settings, limits=LOOSE)
        (kept,) = (path for path in tmp_path.glob("*.json") if "latency_seconds" in path.read_text())
        kept.write_text(kept.read_text().replace(first.recipe, "kept"))  # to see that it is read
        assert measure_untrained(dense(16), task, settings=settings, limits=LOOSE).recipe == "kept"
        assert measure_untrained(dense(17), task, settings=settings, limits=LOOSE).recipe == first.recipe
        tight = LimitSettings(latency_seconds=10.0, size_bytes=1000)
        assert "over limits.size_bytes" in str(measure_untrained(dense(16), task, settings=settings, limits=tight).over)
        kept.write_text("{torn")
        assert measure_untrained(dense(16), task, settings=settings, limits=LOOSE).recipe == first.recipe
    assert measure_untrained(dense(16), task, settings=settings, limits=LOOSE).recipe == first.recipe


def test_a_graph_that_another_process_traced_gets_the_trained_weights(task: Task, tmp_path: Path) -> None:
    model = dense(12)
    with architectures_in(tmp_path):
        assert not KerasTorchConverter().convert(dense(12), task.signature).reused
        source = KerasTorchConverter().convert(model, task.signature)  # knows nothing yet, as in a fresh process
    assert source.reused
    fresh = KerasTorchConverter().convert(model, task.signature)
    assert not fresh.reused
    assert source.model_bytes == fresh.model_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_an_architecture_that_takes_too_much_memory_is_turned_away(task: Task) -> None:
    tight = LOOSE.model_copy(update={"memory_bytes": 10_000})
    found = measure_untrained(dense(16), task, settings=ExportSettings(), limits=tight)
    assert found.memory_bytes is not None
    assert f"it takes {found.memory_bytes:,} bytes of memory, over limits.memory_bytes = 10,000" == found.over


def test_a_sketch_computes_the_same_and_is_about_as_large(task: Task) -> None:
    model, converter = dense(40), KerasTorchConverter()
    content, exact = converter.sketch(model, task.signature, task.kind), converter.convert(model, task.signature)
    assert content is not None
    assert len(content) == pytest.approx(len(exact.model_bytes), rel=0.05)
    rows = {"image": np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)}
    (found,) = Session(content, task.signature).run(rows).values()
    (expected,) = exact.predict(rows).values()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_other_sizes_of_known_operations_are_measured_by_a_sketch_where_that_is_certain(
    task: Task, tmp_path: Path
) -> None:
    """Only a whole export leaves a graph in the folder."""

    def graphs_after(model: Any, size_bytes: int = 10_000_000) -> int:
        limits = LOOSE.model_copy(update={"size_bytes": size_bytes})
        found = measure_untrained(model, task, settings=ExportSettings(), limits=limits)
        assert found.size_bytes > 4 * sum(np.prod(weight.shape) for weight in model.weights) or found.recipe != "fp32"
        return len(list(tmp_path.glob("*.onnx")))

    with architectures_in(tmp_path):
        assert graphs_after(dense(23)) == 1  # sizes that no other test has: a process keeps graphs, too
        assert graphs_after(dense(24)) == 1
        assert graphs_after(dense(25, "tanh")) == 2  # other operations: whether they export is not known
        assert graphs_after(dense(26), size_bytes=88_000) == 3  # a little under the limit


def test_a_module_that_the_older_exporter_does_not_take_has_no_sketch() -> None:
    import torch

    class Odd(torch.nn.Module):
        def __init__(self, units: int) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, units)

        def forward(self, x: Any) -> Any:
            if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]  # torch leaves it so
                raise NotImplementedError("not for the older exporter")
            return self.layer(x).softmax(-1)[:, :2]

    signature = Signature((TensorSpec("x", "float32", (4,)),), (TensorSpec("probabilities", "float32", (2,)),))
    assert TorchModuleConverter().sketch(Odd(3), signature, "classification") is None
    assert TorchModuleConverter().sketch(torch.nn.Linear(4, 2), signature, "classification") is not None
