from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serve.metrics import _CONFIDENCES, _ROWS, _SECONDS, Metrics
from serve.shared_metrics import claim_folder


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_histograms_say_what_prometheus_client_would_say_value_by_value() -> None:
    random = np.random.default_rng(0)
    seconds = [*_SECONDS, *(bound * 1.0001 for bound in _SECONDS), 0.0, *random.lognormal(-5, 3, 500).tolist()]
    rows = [*range(1, 300)]
    metrics = Metrics(CollectorRegistry())
    for one in seconds:
        metrics.answered("/predict", 200, one)
    for count in rows:
        metrics.predicted("shoes", np.full(count, 0.7, np.float32))
    registry = CollectorRegistry()
    by_route = Histogram("evertune_request_seconds", "-", ["route"], buckets=_SECONDS, registry=registry)
    by_batch = Histogram("evertune_batch_rows", "-", buckets=_ROWS, registry=registry)
    for one in seconds:
        by_route.labels("/predict").observe(one)
    for count in rows:
        by_batch.observe(count)
    found, expected = samples(metrics.expose()), samples(generate_latest(registry))
    assert {key: round(found[key], 6) for key in expected} == {key: round(value, 6) for key, value in expected.items()}


def test_counts_are_there_as_soon_as_they_are_asked_for_and_are_not_counted_twice() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.answered("/predict", 200, 0.01)
    metrics.answered("/predict", 503, 0.01)
    metrics.predicted("shoes", np.full(7, 0.7, np.float32))
    metrics.labelled(3)
    for _ in range(2):
        found = samples(metrics.expose())
        assert found["evertune_requests_total", (("route", "/predict"), ("status", "200"))] == 1
        assert found["evertune_requests_total", (("route", "/predict"), ("status", "503"))] == 1
        assert found["evertune_predictions_total", (("model", "shoes"),)] == 7
        assert found["evertune_labels_total", ()] == 3
        assert found["evertune_batch_rows_count", ()] == 1


def test_confidence_is_counted_by_size_and_nonsense_is_left_out() -> None:
    confidence = np.random.default_rng(0).beta(5, 2, 200).astype(np.float32)
    metrics = Metrics(CollectorRegistry())
    metrics.predicted("shoes", np.append(confidence, np.float32("nan")))
    registry = CollectorRegistry()
    expected = Histogram(
        "evertune_prediction_confidence_ratio", "-", ["model"], buckets=_CONFIDENCES, registry=registry
    )
    for one in confidence.tolist():
        expected.labels("shoes").observe(one)
    found = samples(metrics.expose())
    for key, value in samples(generate_latest(registry)).items():
        assert found[key] == pytest.approx(value)
    assert found["evertune_predictions_total", (("model", "shoes"),)] == 201


def test_the_series_of_a_model_are_there_before_its_first_request() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.serving("shoes")
    found, shoes = samples(metrics.expose()), ("model", "shoes")
    assert found["evertune_predictions_total", (shoes,)] == 0
    assert found["evertune_monitor_dropped_total", (shoes,)] == 0
    assert found["evertune_swaps_total", (shoes, ("outcome", "failed"))] == 0
    metrics.dropped("shoes", 3)
    assert samples(metrics.expose())["evertune_monitor_dropped_total", (shoes,)] == 3


def test_a_server_gets_a_folder_of_its_own_and_those_of_the_dead_are_removed(tmp_path: Path) -> None:
    dead, alive, other = tmp_path / str(2**22 + 1), tmp_path / str(os.getppid()), tmp_path / "7 notes"
    for folder in (dead, alive, other):  # no process has a number above 2**22
        folder.mkdir()
    assert claim_folder(tmp_path) == tmp_path / str(os.getpid())
    assert [dead.exists(), alive.exists(), other.exists()] == [False, True, True]
