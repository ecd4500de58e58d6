"""The whole road on a model trained on real rows."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evertune.bundle import BundleStore
from evertune.errors import BundleError, DataError, ExportError
from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.statistics import Interval, upper_bound
from evertune.task import Splits, Task
from export import FP32, QUICK, ExportResult, export_model, measure_untrained, seal
from export.choose import SLOWER_RATIO, choose, too_slow
from export.converters.keras_torch import KerasTorchConverter
from export.scoring import outputs_of

LOOSE = LimitSettings(latency_seconds=10, size_bytes=100_000_000)


@pytest.fixture(scope="module")
def result(trained_mlp: Any, task: Task, splits: Splits) -> ExportResult:
    return export_model(trained_mlp, task, splits, settings=ExportSettings(), limits=LOOSE, seed=0, quick=True)


def test_every_recipe_is_tried_and_has_its_figures(result: ExportResult) -> None:
    assert [candidate.recipe for candidate in result.candidates] == [FP32, *(recipe.name for recipe in QUICK)]
    assert result.parity.absolute < 1e-5
    assert result.validation_rows == 2000
    for candidate in result.candidates:
        assert candidate.size_bytes == len(candidate.model_bytes) > 0
        assert set(candidate.latency_seconds) == {1, 8, 64}
        assert all(value > 0 for value in candidate.latency_seconds.values())
        assert (candidate.refused is None) == (candidate is result.chosen)
    assert all(candidate.size_ratio < 0.4 for candidate in result.candidates[1:])
    assert result.chosen.recipe in result.reason


def test_int8_that_is_slower_here_is_not_chosen_and_not_scored(result: ExportResult) -> None:
    for candidate in result.candidates[1:]:
        reason = too_slow(candidate)
        assert math.isnan(candidate.accuracy) == (reason is not None)
        assert reason is None or candidate.refused == reason
    slowed = [
        replace(
            each,
            refused=None,
            difference=Interval(-0.001, 0.001, 0.95),
            latency_interval={},
            latency_ratio=dict.fromkeys(each.latency_ratio, ratio),
        )
        for each, ratio in zip(result.candidates, (1.0, *[SLOWER_RATIO * 1.01] * 3), strict=True)
    ]
    judged, chosen, _ = choose(slowed, settings=ExportSettings(), limits=LOOSE)
    assert chosen.recipe == FP32
    assert {each.refused for each in judged[1:]} == {"takes 1.06 times as long as FP32 at batch 1"}


def test_the_score_is_that_of_the_bytes_that_ship(result: ExportResult, task: Task, splits: Splits) -> None:
    for candidate in result.candidates:
        outputs = outputs_of(Session(candidate.model_bytes, task.signature), splits.validation.inputs)
        accuracy = 1 - row_losses(task.kind, outputs, splits.validation.labels).mean()
        if not math.isnan(candidate.accuracy):
            assert candidate.accuracy == pytest.approx(accuracy)
    assert result.candidates[0].accuracy > 0.7


def test_a_recipe_that_ruins_the_model_is_refused_with_its_figures(
    trained_mlp: Any, task: Task, splits: Splits
) -> None:
    black = Rows({"image": np.zeros((64, 28, 28), np.uint8)}, np.zeros(64, np.int64))  # ranges of nothing
    misled = Splits(splits.train, splits.validation, black, splits.test)
    settings = ExportSettings(recipes=("int8-dynamic", "int8-static-all"))
    found = export_model(trained_mlp, task, misled, settings=settings, limits=LOOSE, seed=0)
    ruined = found.candidate("int8-static-all")
    assert ruined.risk > 0.01  # seen on training rows before any validation row was looked at
    assert all(each.load_seconds and each.memory_bytes is not None for each in found.candidates)
    assert ruined.accuracy < found.candidate(FP32).accuracy - 0.1
    assert ruined.difference is not None
    assert ruined.difference.lower > 0.01
    assert "may cost up to" in str(ruined.refused)
    assert found.chosen.recipe in (FP32, "int8-dynamic")  # dynamic ranges need no calibration rows


def test_few_validation_rows_prove_nothing_and_fp32_ships(trained_mlp: Any, task: Task, splits: Splits) -> None:
    few = Splits(splits.train, splits.validation.take(slice(0, 40)), splits.calibration, splits.test)
    found = export_model(trained_mlp, task, few, settings=ExportSettings(), limits=LOOSE, seed=0)
    assert found.chosen.recipe == FP32
    assert any("too few" in str(candidate.refused) for candidate in found.candidates)


def test_the_test_split_is_not_touched(trained_mlp: Any, task: Task, splits: Splits, result: ExportResult) -> None:
    images = splits.test.inputs["image"]
    scrambled = Rows({"image": images[::-1]}, splits.test.labels)
    other = Splits(splits.train, splits.validation, splits.calibration, scrambled)
    again = export_model(trained_mlp, task, other, settings=ExportSettings(), limits=LOOSE, seed=0, quick=True)
    assert [each.model_bytes for each in again.candidates] == [each.model_bytes for each in result.candidates]
    raced = scored(again) & scored(result)
    assert FP32 in raced
    for recipe in raced:
        mine, theirs = again.candidate(recipe), result.candidate(recipe)
        assert (mine.accuracy, mine.difference, mine.risk) == (theirs.accuracy, theirs.difference, theirs.risk)


def test_labels_that_judge_put_nothing_in_order(
    trained_mlp: Any, task: Task, splits: Splits, result: ExportResult
) -> None:
    rows = splits.validation
    other = Splits(splits.train, Rows(rows.inputs, (rows.labels + 1) % 10), splits.calibration, splits.test)
    again = export_model(trained_mlp, task, other, settings=ExportSettings(), limits=LOOSE, seed=0, quick=True)
    assert again.candidate(FP32).accuracy < 0.3
    assert {name: again.candidate(name).risk for name in scored(again) & scored(result)} == {
        name: result.candidate(name).risk for name in scored(again) & scored(result)
    }


def scored(result: ExportResult) -> set[str]:
    """Recipes that were not too slow: timing may differ from run to run."""
    return {each.recipe for each in result.candidates if not math.isnan(each.accuracy)}


def test_limits_that_nothing_keeps_are_an_error(trained_mlp: Any, task: Task, splits: Splits) -> None:
    tight = LimitSettings(size_bytes=1000)
    with pytest.raises(ExportError, match=r"over limits\.size_bytes = 1,000"):
        export_model(trained_mlp, task, splits, settings=ExportSettings(), limits=tight, seed=0, quick=True)


def test_an_untrained_model_is_measured_and_judged(trained_mlp: Any, task: Task, result: ExportResult) -> None:
    full = result.candidate(FP32).size_bytes
    fits = measure_untrained(trained_mlp, task, settings=ExportSettings(), limits=LOOSE)
    assert (fits.recipe, fits.over, fits.size_bytes) == (FP32, None, full)
    assert 0 < fits.latency_seconds < 1
    small = measure_untrained(
        trained_mlp, task, settings=ExportSettings(), limits=LimitSettings(latency_seconds=10, size_bytes=full // 2)
    )
    assert small.recipe.startswith("int8-")
    assert small.over is None
    over = measure_untrained(trained_mlp, task, settings=ExportSettings(), limits=LimitSettings(size_bytes=1000))
    assert "over limits.size_bytes" in str(over.over)


def test_a_kept_graph_that_answers_otherwise_is_traced_anew(
    trained_mlp: Any, task: Task, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    from export.pipeline import convert

    class Scaled(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
        """Holds a plain number, which Keras does not track."""

        factor = 1.0

        def call(self, x: Any) -> Any:
            return x * self.factor

    layer = Scaled()
    model = keras.Sequential([keras.layers.Rescaling(1 / 255), layer, *trained_mlp.layers[2:]])
    before, _, _ = convert(model, task.signature, splits.validation.inputs, ExportSettings())
    layer.factor = 0.5
    assert KerasTorchConverter().accepts(model)
    after, _, parity = convert(model, task.signature, splits.validation.inputs, ExportSettings())
    assert parity.absolute < 1e-5
    assert before.model_bytes != after.model_bytes
    assert not after.reused


def test_a_sealed_bundle_holds_what_serving_and_monitoring_need(
    result: ExportResult, task: Task, splits: Splits, tmp_path: Path
) -> None:
    store = BundleStore(str(tmp_path / "bundles"))
    training = tmp_path / "training"
    training.mkdir()
    (training / "weights.npz").write_bytes(b"weights")
    bundle = seal(result, task, splits, store, lineage={"study": "s1"}, training=training, seed=0)
    assert store.digests() == [bundle.digest]
    assert bundle.manifest.recipe == result.chosen.recipe
    outputs = outputs_of(bundle.verified_session(), splits.test.inputs)
    losses = row_losses(task.kind, outputs, splits.test.labels)
    assert bundle.reference.loss_mean == pytest.approx(losses.mean())
    assert bundle.reference.loss_upper_bound == pytest.approx(upper_bound(losses))
    assert bundle.reference.loss_upper_bound > bundle.reference.loss_mean
    assert bundle.calibration.rows == len(splits.calibration)
    confidence = bundle.calibration(outputs["probabilities"].max(axis=1))
    assert abs(confidence.mean() - (1 - losses.mean())) < 0.05  # on rows that did not fit the map
    assert bundle.reference.confidence_mean == pytest.approx(confidence.mean())
    assert bundle.training_path is not None
    bundle.golden.check(bundle.session().run(bundle.golden.inputs))


def test_the_attestation_tells_what_was_tried_where_and_with_what(
    result: ExportResult, task: Task, splits: Splits, tmp_path: Path
) -> None:
    bundle = seal(result, task, splits, BundleStore(str(tmp_path)), lineage={"study": "s1", "trial": 3})
    attestation = bundle.attestation()
    assert attestation is not None
    assert attestation["lineage"] == {"study": "s1", "trial": 3}
    assert attestation["reason"] == result.reason
    assert len(attestation["candidates"]) == 4
    rejected = [candidate for candidate in attestation["candidates"] if candidate["refused"]]
    assert len(rejected) == 3
    assert all(candidate["latency_seconds"]["1"] > 0 for candidate in rejected)
    assert attestation["evaluation"]["accuracy"]["value"] == pytest.approx(1 - bundle.reference.loss_mean)
    assert sum(each["rows"] for each in attestation["reliability"]) == bundle.reference.rows
    assert attestation["measurement"]["provider"] == "CPUExecutionProvider"
    assert attestation["measurement"]["batch_rows"] == 1
    assert all(set(candidate["latency_interval"]) == {"1", "8", "64"} for candidate in rejected)
    assert (attestation["test_difference"] is None) == (result.chosen.recipe == FP32)
    assert attestation["versions"]["numpy"] == np.__version__
    assert attestation["hardware"]["cores"] >= 1


def test_the_same_artifact_sealed_twice_has_one_digest(
    result: ExportResult, task: Task, splits: Splits, tmp_path: Path
) -> None:
    digests = {
        seal(result, task, splits, BundleStore(str(tmp_path / name)), lineage={"run": name}).digest for name in "ab"
    }
    assert len(digests) == 1


def test_what_another_target_gave_is_kept_beside_with_how_it_was_measured(
    result: ExportResult, task: Task, splits: Splits, tmp_path: Path
) -> None:
    store = BundleStore(str(tmp_path))
    first = seal(result, task, splits, store, lineage={}).attestation()
    (beside,) = seal(replace(result, target="tensorrt"), task, splits, store, lineage={}).measurements()
    assert first is not None
    assert (first["target"], beside["target"]) == ("cpu", "tensorrt")
    for name in ("measurement", "parity", "test_difference", "candidates"):
        assert beside[name] == first[name]


def test_a_changed_byte_in_the_sealed_model_is_refused(
    result: ExportResult, task: Task, splits: Splits, tmp_path: Path
) -> None:
    store = BundleStore(str(tmp_path))
    bundle = seal(result, task, splits, store, lineage={})
    content = bytearray(bundle.model_path.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.model_path.chmod(0o644)
    bundle.model_path.write_bytes(bytes(content))
    with pytest.raises(BundleError):
        store.get(bundle.digest)


def test_an_empty_split_is_refused_before_anything_is_written(
    result: ExportResult, task: Task, splits: Splits, tmp_path: Path
) -> None:
    empty = Splits(splits.train, splits.validation, splits.calibration, splits.test.take(slice(0, 0)))
    with pytest.raises(DataError, match="the test split is empty"):
        seal(result, task, empty, BundleStore(str(tmp_path / "bundles")), lineage={})
    assert not (tmp_path / "bundles").exists() or not any((tmp_path / "bundles").iterdir())


def test_importing_the_room_imports_no_framework() -> None:
    root = str(Path(__file__).parents[2])
    code = f"""
import sys
sys.path.insert(0, {root!r})
import export
print(sorted({{"torch", "keras", "tensorflow", "sklearn", "onnx", "bentoml"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
