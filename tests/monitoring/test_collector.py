from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from evertune.ledger import Prediction
from monitoring.collector import LedgerCollector
from monitoring.names import METRICS

World = Any  # of conftest.py

_DOCS = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Progress:
    def __init__(self) -> None:
        self.errors = 0
        self.evaluated_at: dict[str, float] = {}


def scrape(world: World, progress: Progress | None = None, *, refreshed: bool = False) -> Samples:
    registry = CollectorRegistry()
    collector = LedgerCollector(world.ledger, world.store, progress or Progress(), world.clock)
    if refreshed:
        collector.refresh()
    registry.register(collector)
    text = generate_latest(registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    (found,) = (each for (key, its), each in samples.items() if key == name and labels.items() <= dict(its).items())
    return found


@pytest.fixture
def busy(world: World) -> World:
    """Predictions of two days, of which half are labelled, and a job of every outcome."""
    bundle = world.bundle()
    world.promote(bundle)
    now = world.clock.now
    for age, rows in ((100_000, 400), (100, 600)):
        world.clock.now = now - age
        predicted = world.predict(bundle, rows, confidence=0.9, mean=100 / age)
        world.clock.now = now - age / 2
        world.label(predicted[::2], wrong=0.2)
    world.clock.now = now
    world.evaluator().step()
    for number, outcome in enumerate(("promoted", "rejected", "failed", "promoted")):
        request, _ = world.ledger.requests.add("fashion", "alertmanager", f"ask {number}", {})
        job = world.ledger.jobs.create("fashion", request.id)
        world.ledger.jobs.claim("me", 60)
        world.ledger.jobs.finish(job.id, "me", outcome)
    for number, at in enumerate((now - 9000, now - 7000, now - 4000)):
        world.clock.now = at
        world.ledger.requests.add("fashion", "schedule", f"cron {number}", {})
    world.clock.now = now
    world.ledger.jobs.mark_rolled_back(1)
    for number, reason in enumerate(("cooldown", "cooldown", f"a reason with an id {now}")):
        request, _ = world.ledger.requests.add("fashion", "manual", f"no {number}", {})
        world.ledger.requests.decide(request.id, "suppressed", reason)
    world.ledger.jobs.create("fashion")
    return world


def test_accuracy_by_source_and_window(busy: World) -> None:
    samples = scrape(busy, Progress())
    version = busy.ledger.registry.champion("fashion").digest[:12]
    where = {"model": "fashion", "version": version}
    assert value(samples, "evertune_accuracy_ratio", **where, window="1h", source="labelled") == 0.8
    assert value(samples, "evertune_accuracy_ratio", **where, window="1h", source="estimated") == pytest.approx(0.9)
    assert value(
        samples, "evertune_accuracy_ratio", **where, window="7d", source="prediction_powered"
    ) == pytest.approx(0.8)
    assert value(samples, "evertune_accuracy_ratio", **where, window="since_promotion", source="labelled") == 0.8
    for (name, labels), point in samples.items():
        if name == "evertune_accuracy_ratio":
            low = value(samples, "evertune_accuracy_lower_bound_ratio", **dict(labels))
            assert low <= point <= value(samples, "evertune_accuracy_upper_bound_ratio", **dict(labels))
            assert 0 < value(samples, "evertune_accuracy_upper_bound_ratio", **dict(labels)) - low < 0.2
    assert value(samples, "evertune_predicted_rows", window="1h") == 600
    assert value(samples, "evertune_labelled_rows", window="7d") == 500
    assert value(samples, "evertune_label_coverage_ratio", window="1d") == 0.5
    assert value(samples, "evertune_accuracy_reference_ratio") == pytest.approx(0.9)
    assert value(samples, "evertune_accuracy_tolerance_ratio") == pytest.approx(0.02)
    assert value(samples, "evertune_model_info", recipe="fp32", **where) == 1


def test_evidence_stands_over_its_threshold_once_it_crossed(busy: World) -> None:
    samples = scrape(busy)
    assert value(samples, "evertune_drift_log10_threshold") == 4
    assert value(samples, "evertune_drift_log10_evidence") >= 4
    busy.label(busy.predict(busy.bundle(), 900), wrong=0.0)
    busy.evaluator().step()
    assert value(scrape(busy), "evertune_drift_log10_evidence") == 4


def test_labels_their_delay_and_what_waits(busy: World) -> None:
    busy.label(busy.predict(busy.bundle(), 30), wrong=0.0)
    samples = scrape(busy)
    assert value(samples, "evertune_labels_received_total", model="fashion") == 500
    assert value(samples, "evertune_labels_unmatched_total", model="fashion") == 0
    assert value(samples, "evertune_labels_waiting", model="fashion") == 30
    assert value(samples, "evertune_label_delay_seconds_bucket", le="60.0") == 300
    assert value(samples, "evertune_label_delay_seconds_bucket", le="+Inf") == 500
    assert value(samples, "evertune_label_delay_seconds_count") == 500
    assert value(samples, "evertune_label_delay_seconds_sum") == 300 * 50 + 200 * 50_000
    assert value(samples, "evertune_label_last_arrival_timestamp_seconds") == busy.clock.now - 50


def test_a_promotion_sets_no_label_counter_back(busy: World) -> None:
    busy.clock.now += 5
    busy.promote(busy.bundle(temperature=2.0))
    busy.evaluator().step()
    samples = scrape(busy)
    assert value(samples, "evertune_labels_received_total", model="fashion") == 500
    assert value(samples, "evertune_drift_log10_evidence") == 0
    assert len([name for name, _ in samples if name == "evertune_model_info"]) == 1


def test_a_rollback_shows_no_evidence_of_before(busy: World) -> None:
    busy.clock.now += 5
    busy.promote(busy.bundle(temperature=2.0))
    busy.clock.now += 5
    busy.ledger.registry.rollback("fashion", reason="test", actor="test")
    samples = scrape(busy)  # before the evaluator has seen it
    assert not [name for name, _ in samples if name == "evertune_drift_log10_evidence"]
    assert value(samples, "evertune_rollbacks_total") == 1
    busy.evaluator().step()
    assert value(scrape(busy), "evertune_drift_log10_evidence") == 0


def test_retune_counters_start_at_zero_and_never_fall(busy: World) -> None:
    samples = scrape(busy)
    runs = {"model": "fashion", "trigger": "alertmanager"}
    assert value(samples, "evertune_retune_runs_total", **runs, outcome="promoted") == 2  # one was rolled back later
    assert value(samples, "evertune_retune_runs_total", **runs, outcome="failed") == 1
    assert value(samples, "evertune_retune_runs_total", model="fashion", trigger="drift", outcome="failed") == 0
    assert value(samples, "evertune_retune_requests_total", trigger="drift") == 1
    assert value(samples, "evertune_retune_suppressed_total", reason="cooldown") == 2
    assert value(samples, "evertune_retune_suppressed_total", reason="daily_budget") == 0
    assert value(samples, "evertune_retune_running") == 1
    assert value(samples, "evertune_retune_last_success_timestamp_seconds") == busy.clock.now
    assert value(samples, "evertune_retune_last_request_timestamp_seconds", trigger="schedule") == busy.clock.now - 4000
    assert value(samples, "evertune_retune_schedule_interval_seconds") == 3000


def test_the_phase_of_a_job_and_how_long_it_took(busy: World) -> None:
    def phases() -> dict[str, float]:
        found = scrape(busy).items()
        return {dict(key)["phase"]: each for (name, key), each in found if name == "evertune_retune_phase" and each}

    assert phases() == {"waiting": 1}
    busy.ledger.jobs.claim("me", 60)
    busy.ledger.jobs.update(5, "me", phase="gate", detail={"seconds": {"train_rows": 2.5, "search": 40.0}})
    assert phases() == {"gate": 1}
    assert value(scrape(busy), "evertune_retune_phase_seconds", phase="search") == 40
    busy.ledger.jobs.update(5, "me", phase="a phase of tomorrow", detail={})
    assert phases() == {"other": 1}
    busy.ledger.jobs.finish(5, "me", "rejected")
    assert phases() == {}


def test_no_text_of_a_client_or_a_job_becomes_a_label(busy: World) -> None:
    samples = scrape(busy)
    assert value(samples, "evertune_retune_suppressed_total", reason="other") == 1
    assert len(samples) < 150


def test_who_is_labelled_must_be_known(busy: World) -> None:
    assert value(scrape(busy), "evertune_label_selection_known") == 1
    bundle, known = busy.bundle(), busy.ledger.predictions
    (row,) = busy.predict(bundle, 1)
    prediction = known.get([row.partition(":")[0]])[row.partition(":")[0]]
    unknown = {**vars(prediction), "request_id": "01890a5d-ac96-774b-bcce-b302099a8057", "label_selection_known": False}
    known.add_many([Prediction(**unknown)])
    samples = scrape(busy)
    assert value(samples, "evertune_label_selection_known") == 0
    assert not [labels for _, labels in samples if ("source", "prediction_powered") in labels]


def test_every_metric_is_exposed_under_its_labels_and_in_the_documentation(busy: World) -> None:
    progress = Progress()
    progress.evaluated_at["fashion"] = busy.clock.now
    found: dict[str, set[frozenset[str]]] = {}
    busy.ledger.jobs.claim("me", 60)
    busy.ledger.jobs.update(5, "me", phase="gate", detail={"seconds": {"train_rows": 2.5, "search": 40.0}})
    for name, labels in scrape(busy, progress, refreshed=True):
        stem = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        found.setdefault(stem, set()).add(frozenset(key for key, _ in labels) - {"le"})
    assert found == {name: {frozenset(definition.labels)} for name, definition in METRICS.items()}
    text = _DOCS.read_text(encoding="utf-8")
    assert [name for name in METRICS if f"`{name}`" not in text] == []


def test_a_new_model_and_an_empty_ledger_can_be_scraped(world: World) -> None:
    assert value(scrape(world), "evertune_monitor_ledger_up") == 1
    world.promote(world.bundle())
    samples = scrape(world)
    assert value(samples, "evertune_predicted_rows", window="1h") == 0
    assert value(samples, "evertune_monitor_last_evaluation_timestamp_seconds", model="fashion") == 0
    assert not [name for name, _ in samples if name.startswith("evertune_accuracy")]


def test_a_champion_that_is_not_in_the_store_hides_no_other_figure(busy: World) -> None:
    busy.ledger.registry.promote("hats", "f" * 64, reason="test", actor="test")
    samples = scrape(busy)
    assert value(samples, "evertune_labels_received_total", model="hats") == 0
    assert value(samples, "evertune_labels_received_total", model="fashion") == 500


def test_a_ledger_that_does_not_answer_is_a_figure(busy: World) -> None:
    progress = Progress()
    progress.errors, progress.evaluated_at["fashion"] = 3, 17.0
    with busy.ledger.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE deployments RENAME TO lost")
    samples = scrape(busy, progress)
    assert value(samples, "evertune_monitor_ledger_up") == 0
    assert value(samples, "evertune_monitor_errors_total") == 3
    assert value(samples, "evertune_monitor_last_evaluation_timestamp_seconds", model="fashion") == 17


def test_a_store_that_does_not_answer_costs_its_own_figures_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    world.predict(bundle, 10)

    def away(_: str) -> Any:
        raise OSError("the object store does not answer")

    monkeypatch.setattr(world.store, "get", away)
    found = scrape(world)
    assert value(found, "evertune_monitor_ledger_up") == 1
    assert not any(name == "evertune_accuracy_ratio" for name, _ in found)
