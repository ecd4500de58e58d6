"""What is measured and traced once for all models that compute the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Task
from export import architectures_in, measure_untrained
from export.converters.keras_torch import KerasTorchConverter

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
