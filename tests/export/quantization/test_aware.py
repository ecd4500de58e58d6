"""Weights that survive rounding, on real rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import Array, TensorSpec
from export.candidate import Candidate
from export.choose import too_slow
from export.converters import converter_for
from export.converters.source import Source
from export.pipeline import convert, export_model
from export.precisions import Precisions
from export.quantization import Quantizer, optimise
from export.quantization.fake import Ranges, rounding
from export.quantization.last_resort import last_resort, retrained
from export.recipes import FP32, recipe_named
from export.scoring import outputs_of
from export.verify import verify

U8S8 = recipe_named("int8-static-all-u8s8")


class OddTask(Task):
    """Four numbers, three classes."""

    name = "odd"
    labels = ("a", "b", "c")
    inputs = (TensorSpec("x", "float32", (4,)),)

    def load(self) -> Splits:
        raise NotImplementedError

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


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


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Two that wait for each other take minutes where other tests run beside this one."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
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


@pytest.mark.usefixtures("one_thread")
def test_fine_tuning_gives_back_most_of_what_rounding_took_and_leaves_the_model_alone(
    fragile: Any, task: Task, splits: Splits
) -> None:
    settings = ExportSettings()
    source, fp32, _ = convert(fragile, task.signature, splits.validation.inputs, settings)
    plain = Quantizer(source.model_bytes, task.signature, splits.calibration).quantize(U8S8)
    recipe = last_resort([Candidate(FP32), candidate(U8S8.name, 0.3, 0.5)], settings, LimitSettings())
    assert recipe is not None
    ((tuned, session),) = Precisions(source, fp32, task, splits, settings).fine_tuned(fragile, recipe, seed=0)
    assert session is not None

    def accuracy(session: Session) -> float:
        outputs = outputs_of(session, splits.validation.inputs)
        return 1 - float(row_losses(task.kind, outputs, splits.validation.labels, task.parameters).mean())

    best, worst = accuracy(fp32), accuracy(verify(plain, task.signature))
    assert worst < best - 0.05
    assert tuned.recipe == "int8-aware"
    assert tuned.size_ratio < 0.4
    assert accuracy(session) > worst + (best - worst) / 2
    again = converter_for(fragile).convert(fragile, task.signature)
    assert optimise(again.model_bytes, task.signature) == source.model_bytes  # its own weights


@pytest.mark.usefixtures("one_thread")
def test_an_export_that_may_fine_tune_judges_what_comes_of_it_with_the_rest(
    fragile: Any, task: Task, splits: Splits
) -> None:
    settings = ExportSettings(recipes=(U8S8.name,), quantization_aware=True)
    limits = LimitSettings(latency_seconds=10, size_bytes=100_000_000)
    result = export_model(fragile, task, splits, settings=settings, limits=limits, seed=0)
    _, static, *tuned = result.candidates
    assert static.recipe == U8S8.name
    assert [each.recipe for each in tuned] == ([] if too_slow(static) else ["int8-aware"])
    for each in tuned:
        assert static.accuracy < each.accuracy < 1
        assert each.risk < static.risk
        assert set(each.latency_ratio) == {1, 8, 64}
        assert each.difference is not None
        assert (each.refused is None) == (each is result.chosen)


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "not exported"])
def test_where_fine_tuning_cannot_be_had_the_export_goes_on(frozen: bool) -> None:
    import torch

    class Odd(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = torch.nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            hidden = self.dense(x)
            # ONNX has no lgamma: another route made the file, or none.
            return torch.softmax(hidden if frozen else torch.lgamma(hidden.abs() + 1), -1)

    model = Odd().requires_grad_(not frozen)
    task = OddTask()
    rows = Rows({"x": np.ones((8, 4), np.float32)}, np.zeros(8, np.int64))
    source = Source(b"", converter_for(model).forward(model, task.signature, task.kind))
    assert retrained(model, task, Splits(rows, rows, rows, rows), source, seed=0) is None


def candidate(recipe: str, upper: float, ratio: float, kept: int = 0) -> Candidate:
    return Candidate(
        recipe, risk=upper, latency_seconds={1: 0.0}, latency_ratio={1: ratio}, size_ratio=0.3, nodes_kept=kept
    )


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([candidate("int8-static-all", 0.03, 0.6), candidate("int8-static-all-u8s8", 0.03, 0.5)], "u8"),
        ([candidate("int8-static-all", 0.03, 1.3)], None),  # slow too
        ([candidate("int8-static-all", 0.001, 0.5)], None),  # ships
        ([candidate("int8-dynamic", 0.03, 0.5), Candidate("int4", refused="no matrix")], None),  # not static
        ([candidate("int8-static-all", 0.001, 1.3, kept=2)], "s8"),  # was fast before it was mended
    ],
    ids=["fastest", "slow", "fine", "dynamic", "mended"],
)
def test_it_is_for_what_would_ship_if_it_cost_less(candidates: list[Candidate], expected: str | None) -> None:
    recipe = last_resort([Candidate(FP32), *candidates], ExportSettings(allowance_ratio=0.01), LimitSettings())
    found = None if recipe is None else (recipe.name, "s8" if recipe.activations_signed else "u8")
    assert found == (None if expected is None else ("int8-aware", expected))
