"""Export for a GPU on a machine that has none: FP32 and FP16 proven, everything about speed pending."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.runtime.session import CPU
from evertune.settings import ExportSettings, LimitSettings
from evertune.statistics import Interval
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from export import ExportResult, export_for, measure_untrained
from export.candidate import Candidate
from export.measurement import half_of
from export.presence import is_here
from export.unmeasured import choose_unmeasured

_ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(is_here("cuda"), reason="here is a GPU: nothing would be pending")


class Signs(Task):
    """Which of three numbers is the largest."""

    name = "signs"
    labels = ("a", "b", "c")
    inputs = (TensorSpec("x", "float32", (4,)),)

    def load(self) -> Splits:
        x = np.random.default_rng(0).standard_normal((2400, 4)).astype(np.float32)
        rows = Rows({"x": x}, x[:, :3].argmax(axis=1))
        return Splits(*(rows.take(slice(600 * part, 600 * part + 600)) for part in range(4)))

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


def _exported(noted: Path) -> ExportResult:
    """What comes of a model that writes down which process its exporter runs in."""
    import torch

    layer = torch.nn.Linear(4, 3, bias=False)
    layer.weight.data = 10 * torch.eye(4)[:3]

    class Noting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(layer, torch.nn.Softmax(-1))

        def forward(self, x: Any) -> Any:
            if torch.compiler.is_exporting():
                noted.write_text(str(os.getpid()))
            return self.layers(x)

    model, task = Noting(), Signs()
    settings, limits = ExportSettings(target="cuda", batch_rows=48), LimitSettings(batch_rows=48)
    return export_for(model, task, task.load(), settings=settings, limits=limits, seed=0)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    return _exported(tmp_path_factory.mktemp("exporter") / "process")


def test_both_precisions_are_proven_and_neither_is_timed(result: ExportResult) -> None:
    fp32, half = result.candidates
    assert (fp32.recipe, half.recipe, result.chosen.recipe) == ("fp32", "fp16", "fp32")
    assert fp32.parity is not None
    assert fp32.parity.absolute < 1e-4
    assert half.parity is not None
    assert half.parity.agreement_ratio > 0.98
    assert half.parity.batch_sizes == fp32.parity.batch_sizes
    assert half.difference is not None
    assert half.accuracy > 0.98
    assert half.refused is not None
    assert "not measured yet" in half.refused
    assert fp32.latency_seconds == half.latency_seconds == {}  # no figure of a CPU passes for one of a GPU


def test_the_exporter_runs_apart_as_for_any_model_that_ships(tmp_path: Path) -> None:
    # In a fresh process: in this one, other tests may have loaded TensorFlow, and then there can be no copy of it.
    code = "import os, sys; from pathlib import Path; from tests.export.test_unmeasured import _exported\n"
    code += "result = _exported(Path(sys.argv[1])); print(os.getpid(), result.parity.batch_sizes[-1])"
    command = [sys.executable, "-c", code, str(tmp_path / "process")]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    process, most_rows = done.stdout.splitlines()[-1].split()
    assert most_rows == "48"
    assert (tmp_path / "process").read_text() != process


def test_fp16_keeps_its_boundary_and_halves_the_weights(result: ExportResult) -> None:
    model = onnx.load_model_from_string(result.candidate("fp16").model_bytes)
    onnx.checker.check_model(model, full_check=True)
    assert {weight.data_type for weight in model.graph.initializer} == {onnx.TensorProto.FLOAT16}
    kinds = [value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)]
    assert kinds == [onnx.TensorProto.FLOAT] * 2


def test_fp16_that_does_not_load_on_the_target_leaves_fp32_alone(result: ExportResult) -> None:
    model_bytes, signature, rows = result.chosen.model_bytes, Signs().signature, {"x": np.ones((2, 4), np.float32)}
    half = half_of(model_bytes, signature, rows, 1, CPU)
    assert half is not None
    assert half[0] == result.candidate("fp16").model_bytes
    assert half_of(model_bytes, signature, rows, 1, ("NoExecutionProvider",)) is None


def test_what_is_pending_is_listed(result: ExportResult) -> None:
    assert {each["target"] for each in result.pending} == {"cuda"}
    assert [each["recipes"] for each in result.pending] == [["fp32"], ["fp32"], ["fp16"]]
    assert "1, 8, 48, 64 rows" in result.pending[1]["what"]
    assert "nothing to run cuda on" in result.reason


def test_fp16_ships_unmeasured_only_where_fp32_is_too_large() -> None:
    fp32 = Candidate("fp32", b"x" * 100, accuracy=0.9)
    half = Candidate("fp16", b"x" * 50, accuracy=0.9, difference=Interval(-0.001, 0.001, 0.95))
    settings = ExportSettings(target="cuda")
    judged, chosen, reason = choose_unmeasured(fp32, half, settings, LimitSettings(size_bytes=60))
    assert chosen.recipe == "fp16"
    assert judged[0].refused is not None
    assert "limits.size_bytes" in reason
    worse = replace(half, difference=Interval(0.01, 0.03, 0.95))
    for other, most_bytes in ((half, 40), (worse, 60)):
        with pytest.raises(ExportError, match="no precision"):
            choose_unmeasured(fp32, other, settings, LimitSettings(size_bytes=most_bytes))


def test_before_training_too_only_size_is_judged() -> None:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(-1))
    settings = ExportSettings(target="cuda")
    hasty = LimitSettings(latency_seconds=1e-9, size_bytes=100_000)
    found = measure_untrained(model, Signs(), settings=settings, limits=hasty)
    assert (found.recipe, found.over) == ("fp32", None)
    assert found.latency_seconds > hasty.latency_seconds
    tiny = measure_untrained(model, Signs(), settings=settings, limits=LimitSettings(size_bytes=10))
    assert "limits.size_bytes" in str(tiny.over)
