"""Weights that survive rounding, on real rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from evertune.rows import Rows
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from export.candidate import Candidate
from export.choose import too_slow
from export.converters import converter_for
from export.converters.source import Source
from export.pipeline import export_model
from export.quantization.last_resort import last_resort, retrained
from export.recipes import FP32
from tests.export.quantization import aware_contract
from tests.export.quantization.aware_contract import U8S8, fragile


class OddTask(Task):
    """Four numbers, three classes."""

    name = "odd"
    labels = ("a", "b", "c")
    inputs = (TensorSpec("x", "float32", (4,)),)

    def load(self) -> Splits:
        raise NotImplementedError

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


@contextmanager
def one_thread() -> Iterator[None]:
    """Two that wait for each other take minutes where other tests run beside this one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


BACKENDS = ["torch", "tensorflow"]


@pytest.fixture(scope="module", params=BACKENDS)
def figures(request: pytest.FixtureRequest, trained_mlp: Any, task: Task, splits: Splits) -> dict[str, Any]:
    """Of the same model on either backend; TensorFlow's has a process of its own."""
    if request.param == "torch":
        with one_thread():
            return aware_contract.figures(trained_mlp, task, splits)
    folder = request.getfixturevalue("tmp_path_factory").mktemp("model")
    aware_contract.write(trained_mlp, folder)
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", aware_contract.__name__, str(folder)]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_rounding_in_the_framework_is_that_of_the_quantized_file(figures: dict[str, Any]) -> None:
    distances = figures["distances"]
    assert distances["observing"] == 0  # it changes nothing
    assert distances["file"] < distances["without"] / 2
    assert distances["rounding"] > 1e-4


def test_kernels_of_every_layer_have_one_scale_a_channel(figures: dict[str, Any]) -> None:
    assert set(figures["kernels"]) == {"dense", "convolution", "depthwise", "transposed"}
    assert max(figures["kernels"].values()) < 1e-3


def test_fine_tuning_gives_back_most_of_what_rounding_took_and_leaves_the_model_alone(figures: dict[str, Any]) -> None:
    found = figures["repair"]
    assert found["int8"] < found["fp32"] - 0.05
    assert found["recipe"] == "int8-aware"
    assert found["size"] < 0.4
    assert found["aware"] > found["int8"] + (found["fp32"] - found["int8"]) / 2
    assert found["itself"]  # its own weights


def test_an_export_that_may_fine_tune_judges_what_comes_of_it_with_the_rest(
    trained_mlp: Any, task: Task, splits: Splits
) -> None:
    settings = ExportSettings(recipes=(U8S8.name,), quantization_aware=True)
    limits = LimitSettings(latency_seconds=10, size_bytes=100_000_000)
    with one_thread():
        result = export_model(fragile(trained_mlp), task, splits, settings=settings, limits=limits, seed=0)
    _, static, *tuned = result.candidates
    assert static.recipe == U8S8.name
    assert [each.recipe for each in tuned] == ([] if too_slow(static) else ["int8-aware"])
    for each in tuned:
        assert static.accuracy < each.accuracy < 1
        assert each.risk < static.risk
        assert set(each.latency_ratio) == {1, 8, 64}
        assert each.difference is not None
        assert (each.refused is None) == (each is result.chosen)


class Odd(torch.nn.Module):
    """One that may be frozen, be without an exporter, or fail in training; or has a second output."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.dense, self.what = torch.nn.Linear(4, 3), what
        self.requires_grad_(what != "frozen")

    def forward(self, x: Any) -> Any:
        hidden = self.dense(x)
        if self.what == "not exported":  # ONNX has no lgamma: another route made the file, or none
            hidden = torch.lgamma(hidden.abs() + 1)
        if self.what == "not trained":  # its gradient needs what is overwritten
            hidden = hidden.sigmoid().mul_(2)
        answer = torch.softmax(hidden, -1)
        return (answer, x.argmax(-1)) if self.what == "two outputs" else answer


class TwoOutputs(OddTask):
    extra_outputs = (TensorSpec("largest", "int64", ()),)


def odd(what: str) -> bytes | None:
    model, task = Odd(what), TwoOutputs() if what == "two outputs" else OddTask()
    rows = Rows({"x": np.eye(8, 4, dtype=np.float32)}, np.zeros(8, np.int64))
    source = Source(b"", converter_for(model).forward(model, task.signature, task.kind))
    return retrained(model, task, Splits(rows, rows, rows, rows), source, seed=0)


@pytest.mark.parametrize("what", ["frozen", "not exported", "not trained"])
def test_where_fine_tuning_cannot_be_had_the_export_goes_on(what: str) -> None:
    assert odd(what) is None


def test_a_second_output_is_kept_beside_the_answer() -> None:
    tuned = odd("two outputs")
    assert tuned is not None
    outputs = onnx.ModelProto.FromString(tuned).graph.output
    assert [value.name for value in outputs] == ["probabilities", "largest"]


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
