"""Weights beside the graph: the road of models above 2 GB, taken by a small one with a low threshold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from cli.compare.common_rows import CommonRows
from cli.compare.comparison import comparison
from cli.inspect.facts import bundle_facts
from evertune.bundle import Bundle, BundleStore
from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from export import FP32, ExportResult, export_model, measure_untrained, seal
from export.converters import converter_for
from export.external import DATA
from export.measurement import measure_bundle
from export.verify import verify
from tests.export.converter_models import IMAGE, MODELS

LOW = ExportSettings(max_file_bytes=10_000)
LOOSE = LimitSettings(latency_seconds=10, size_bytes=100_000_000)
WORDS, UNITS = 100, 32


class Words(Task):
    """Four words a row, and nothing to learn."""

    name = "words"
    labels = ("a", "b", "c")
    inputs = (TensorSpec("words", "int64", (4,)),)

    def load(self) -> Splits:
        random = np.random.default_rng(0)
        parts = (Rows({"words": random.integers(0, WORDS, (80, 4))}, random.integers(0, 3, 80)) for _ in range(4))
        return Splits(*parts)

    def build(self, hp: Any) -> Any:
        """An embedding table, the largest of three weights that are moved, and biases that stay."""
        import torch

        class Net(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.table = torch.nn.Embedding(WORDS, UNITS)
                self.norm = torch.nn.BatchNorm1d(UNITS)
                self.hidden = torch.nn.Linear(UNITS, UNITS)
                self.last = torch.nn.Linear(UNITS, 3)

            def forward(self, words: Any) -> Any:
                return self.last(self.hidden(self.norm(self.table(words).mean(1))).relu()).softmax(-1)

        torch.manual_seed(0)
        return Net()


TASK = Words()
SPLITS = TASK.load()


@pytest.fixture(scope="module")
def result() -> ExportResult:
    return export_model(TASK.build(None), TASK, SPLITS, settings=LOW, limits=LOOSE, seed=0)


@pytest.fixture(scope="module")
def bundle(result: ExportResult, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return seal(result, TASK, SPLITS, BundleStore(str(tmp_path_factory.mktemp("store"))), lineage={})


def test_fp32_ships_with_figures_of_both_files_and_the_rest_says_why_not(result: ExportResult) -> None:
    fp32, *others = result.candidates
    assert result.chosen == fp32
    assert fp32.size_bytes == len(fp32.model_bytes) + len(fp32.external_data[DATA]) > WORDS * UNITS * 4
    assert len(fp32.model_bytes) < 4000
    assert fp32.load_seconds
    assert fp32.memory_bytes is not None
    assert set(fp32.latency_seconds) == {1, 8, 64}
    assert len(others) > 3
    assert all("which quantizers do not take" in str(each.refused) for each in others)


def test_a_second_export_gives_the_same_bundle(bundle: Bundle, tmp_path: Path) -> None:
    again = export_model(TASK.build(None), TASK, SPLITS, settings=LOW, limits=LOOSE, seed=0, quick=True)
    assert seal(again, TASK, SPLITS, BundleStore(str(tmp_path)), lineage={}).digest == bundle.digest


def test_the_bundle_is_proved_inspected_measured_and_compared(bundle: Bundle, result: ExportResult) -> None:
    assert bundle.manifest.external_data == (DATA,)
    assert bundle.size_bytes == result.chosen.size_bytes
    bundle.verified_session()
    assert bundle_facts(bundle)["graph"]["parameters"] > WORDS * UNITS
    measured = measure_bundle(bundle, "cpu", rounds=1)["recipes"][FP32]
    assert (measured["size_bytes"], measured["golden_difference"]) == (bundle.size_bytes, 0.0)
    found = comparison(bundle, bundle, CommonRows(SPLITS.test.inputs, None, "test"), rounds=1, threads=1)
    assert (found["size_ratio"], found["answers"]["largest_difference"]) == (1.0, 0.0)
    assert found["a"]["model_bytes"] == bundle.size_bytes


def test_limits_are_of_both_files(result: ExportResult) -> None:
    tight = LimitSettings(latency_seconds=10, size_bytes=len(result.chosen.external_data[DATA]))
    assert "size_bytes" in str(measure_untrained(TASK.build(None), TASK, settings=LOW, limits=tight).over)
    with pytest.raises(ExportError, match=r"over limits\.size_bytes"):
        export_model(TASK.build(None), TASK, SPLITS, settings=LOW, limits=tight, seed=0, quick=True)


@pytest.mark.parametrize("name", ["torch", "keras"])
def test_weights_lie_on_pages_in_the_order_of_the_graph_and_answer_as_in_one_file(name: str) -> None:
    model = MODELS[name]()
    one = converter_for(model).convert(model, IMAGE)
    two = converter_for(model).convert(model, IMAGE, most_bytes=1000)
    images = {"image": np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)}
    found = verify(two.model_bytes, IMAGE, external_data=two.external_data).run(images)
    np.testing.assert_array_equal(found["probabilities"], verify(one.model_bytes, IMAGE).run(images)["probabilities"])
    whole = {item.name: item.raw_data for item in onnx.ModelProto.FromString(one.model_bytes).graph.initializer}
    end = 0
    for item in onnx.ModelProto.FromString(two.model_bytes).graph.initializer:
        if not item.external_data:
            assert item.raw_data == whole[item.name]
            continue
        place = {each.key: each.value for each in item.external_data}
        start, length = int(place["offset"]), int(place["length"])
        assert (place["location"], start % 4096, start - end < 4096) == (DATA, 0, True)
        assert two.external_data[DATA][start : start + length] == whole[item.name]
        end = start + length
    assert end == len(two.external_data[DATA]) > 1000


def test_data_that_is_cut_off_or_missing_is_refused(result: ExportResult) -> None:
    fp32, signature = result.chosen, TASK.signature
    with pytest.raises(ExportError):
        verify(fp32.model_bytes, signature)
    with pytest.raises(ExportError):
        verify(fp32.model_bytes, signature, external_data={DATA: fp32.external_data[DATA][:-1]})
    assert verify(fp32.model_bytes, signature, external_data=fp32.external_data)


def test_one_byte_of_weights_more_decides_where_they_lie(result: ExportResult) -> None:
    model = TASK.build(None)
    size = sum(each.nbytes for each in (*model.parameters(), *model.buffers()) if each.is_floating_point())
    for most_bytes, names in ((size - 1, [DATA]), (size, [])):
        source = converter_for(model).convert(model, TASK.signature, most_bytes=most_bytes)
        assert list(source.external_data) == names
    assert isinstance(Session(source.model_bytes, TASK.signature), Session)
