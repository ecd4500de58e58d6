"""Weights that survive rounding, on real rows."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from evertune.rows import Rows
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import Array
from export import ExportResult, export_model
from export.converters import converter_for
from export.quantization import Quantizer
from export.quantization.fake import Ranges, rounding
from export.recipes import recipe_named
from export.verify import verify

U8S8 = recipe_named("int8-static-all-u8s8")


@pytest.fixture(scope="module")
def fragile(trained_mlp: Any) -> Any:
    """The trained perceptron with hidden units of very different size: the same function, but not in INT8.

    A unit times a positive number, and what follows divided by it, changes nothing before or after a ReLU.
    """
    import keras

    model = keras.Model.from_config(trained_mlp.get_config())
    for mine, theirs in zip(model.variables, trained_mlp.variables, strict=True):
        mine.assign(theirs.value)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    random = np.random.default_rng(0)
    for layer, following in pairwise(dense):
        factor = keras.ops.convert_to_tensor(np.exp(random.uniform(-3, 3, layer.units)).astype(np.float32))
        layer.kernel.assign(layer.kernel * factor)
        layer.bias.assign(layer.bias * factor)
        following.kernel.assign(following.kernel / factor[:, None])
    return model


@pytest.fixture(scope="module")
def result(fragile: Any, task: Task, splits: Splits) -> ExportResult:
    import torch

    settings = ExportSettings(recipes=(U8S8.name,), quantization_aware=True)
    limits = LimitSettings(latency_seconds=10, size_bytes=100_000_000)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two that wait for each other take minutes where other tests run beside this one
    try:
        return export_model(fragile, task, splits, settings=settings, limits=limits, seed=0)
    finally:
        torch.set_num_threads(threads)


def test_rounding_in_torch_is_that_of_the_quantized_file(trained_mlp: Any, task: Task, splits: Splits) -> None:
    source = converter_for(trained_mlp).convert(trained_mlp, task.signature)
    forward: Any = source.predict
    rows = Rows({"image": splits.calibration.inputs["image"][:64]}, splits.calibration.labels[:64])
    quantized = verify(Quantizer(source.model_bytes, task.signature, rows).quantize(U8S8), task.signature)
    ranges = Ranges()
    with rounding(ranges, observe=True):
        exact = forward(rows.inputs)["probabilities"]
    with rounding(ranges, observe=False):
        rounded = forward(rows.inputs)["probabilities"]
    found = quantized.run(rows.inputs)["probabilities"]

    def distance(one: Array, other: Array) -> float:
        return float(np.abs(one - other).max())

    assert distance(exact, source.predict(rows.inputs)["probabilities"]) == 0  # observing changes nothing
    assert distance(rounded, found) < distance(exact, found) / 2
    assert distance(rounded, exact) > 1e-4


def test_fine_tuning_is_the_last_resort_and_helps(result: ExportResult) -> None:
    assert [candidate.recipe for candidate in result.candidates] == ["fp32", U8S8.name, "int8-aware"]
    fp32, plain, tuned = result.candidates
    assert "may cost up to" in str(plain.refused)
    assert tuned.size_ratio < 0.4
    assert tuned.difference is not None
    assert tuned.accuracy > plain.accuracy + (fp32.accuracy - plain.accuracy) / 4


def test_the_model_has_its_own_weights_again(fragile: Any, task: Task, splits: Splits, result: ExportResult) -> None:
    rows = {"image": splits.test.inputs["image"][:64]}
    source = converter_for(fragile).convert(fragile, task.signature)
    expected = source.predict(rows)["probabilities"]
    found = verify(result.candidate("fp32").model_bytes, task.signature).run(rows)["probabilities"]
    assert np.abs(found - expected).max() < 1e-4
