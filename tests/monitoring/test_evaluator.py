from __future__ import annotations

import shutil
from typing import Any

import pytest
from sqlalchemy import delete

from evertune.errors import BundleError, JobError
from evertune.ids import parse_row_id
from evertune.ledger import DetectorRecord, Label
from evertune.ledger.schema import detectors, predictions, row_losses
from evertune.statistics import EDetector
from monitoring.state import BundleState

World = Any  # of conftest.py


def stored(world: World, bundle: Any) -> BundleState:
    record = world.ledger.detectors.load(bundle.manifest.model, bundle.digest)
    assert record is not None
    return BundleState.from_json(record.state)


def drift(world: World, bundle: Any) -> None:
    world.label(world.predict(bundle, 200), wrong=0.0)
    world.label(world.predict(bundle, 200), wrong=0.6)


def test_a_champion_has_evidence_before_its_first_label(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    (evidence,) = world.evaluator().step()
    assert (evidence.digest, evidence.labels, evidence.log10_evidence, evidence.alarmed) == (bundle.digest, 0, 0, False)
    assert evidence.reference_loss + evidence.tolerance == pytest.approx(0.12)


def test_no_champion_is_no_error(world: World) -> None:
    assert world.evaluator().step() == []


def test_losses_of_right_and_wrong_rows_reach_the_ledger(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    world.label(world.predict(bundle, 100), wrong=0.25)
    (evidence,) = world.evaluator().step()
    found = world.ledger.losses.window("fashion", bundle.digest, 0, world.clock.now + 1)
    assert (evidence.labels, found.rows, found.loss_sum) == (100, 100, 25)
    assert stored(world, bundle).accuracy.mean == 0.75


def test_a_label_goes_to_the_bundle_that_predicted_its_row(world: World) -> None:
    old, new = world.bundle(), world.bundle(temperature=2.0)
    world.promote(old)
    late = world.predict(old, 60)
    world.clock.now += 10
    world.promote(new)
    on_time = world.predict(new, 40)
    for pair in zip(on_time, late, strict=False):  # they come interleaved
        world.label(pair[:1], wrong=0.0)
        world.label(pair[1:], wrong=1.0)
    (evidence,) = world.evaluator().step()
    assert (evidence.digest, evidence.labels, evidence.alarmed) == (new.digest, 40, False)
    assert stored(world, old).detector.count == 40
    assert stored(world, old).detector.alarmed


def test_corrections_and_duplicates_are_not_fed_again(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    rows = world.predict(bundle, 20)
    world.label(rows, wrong=0.0)
    evaluator = world.evaluator()
    evaluator.step()
    world.label(rows, wrong=0.0)
    world.label(rows, wrong=1.0)
    (evidence,) = evaluator.step()
    assert evidence.labels == 20
    assert world.ledger.losses.window("fashion", bundle.digest, 0, world.clock.now + 1).loss_sum == 0


def test_a_crossing_asks_for_a_retune_once_and_latches(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    drift(world, bundle)
    (evidence,) = world.evaluator().step()
    assert evidence.alarmed
    assert evidence.log10_evidence >= evidence.log10_threshold == 4
    assert 190 <= evidence.onset <= evidence.alarm_at <= 260
    world.label(world.predict(bundle, 400), wrong=0.0)
    (later,) = world.evaluator().step()  # another process
    assert (later.alarm_at, later.onset) == (evidence.alarm_at, evidence.onset)
    assert later.log10_evidence >= later.log10_threshold
    (request,) = world.ledger.requests.list()
    assert (request.trigger, request.status, request.evidence["digest"]) == ("drift", "open", bundle.digest)
    assert request.evidence["alarm_at"] == evidence.alarm_at


def test_a_kill_between_state_and_request_loses_no_request(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    drift(world, bundle)
    world.evaluator(request_retune=False).step()  # the state is saved, nobody has asked
    assert world.ledger.requests.list() == []
    world.evaluator().step()
    assert len(world.ledger.requests.list()) == 1


def test_another_champion_starts_without_evidence(world: World) -> None:
    old, new = world.bundle(), world.bundle(temperature=2.0)
    world.promote(old)
    drift(world, old)
    world.evaluator().step()
    world.clock.now += 10
    world.promote(new)
    (evidence,) = world.evaluator().step()
    assert (evidence.digest, evidence.labels, evidence.alarmed) == (new.digest, 0, False)


def test_a_bundle_that_a_rollback_brings_back_starts_anew(world: World) -> None:
    old, new = world.bundle(), world.bundle(temperature=2.0)
    world.promote(old)
    late = world.predict(old, 30)
    drift(world, old)
    evaluator = world.evaluator()
    evaluator.step()
    world.clock.now += 10
    world.promote(new)
    world.clock.now += 10
    back = world.ledger.registry.rollback("fashion", reason="test", actor="test")
    (evidence,) = evaluator.step()
    assert (evidence.digest, evidence.deployment, evidence.labels) == (old.digest, back.sequence, 0)
    world.label(late, wrong=1.0)  # of the time before: told against the windows of then, not against this deployment
    drift(world, old)
    (evidence,) = evaluator.step()
    assert (evidence.labels, evidence.alarmed) == (400, True)
    assert stored(world, old).tally.received == 830
    assert len({request.fingerprint for request in world.ledger.requests.list()}) == 2


def test_pieces_and_one_go_give_the_same_state(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = world.bundle(), world.bundle(temperature=2.0)
    world.promote(first)
    evaluator = world.evaluator()
    for step in range(12):
        world.clock.now += 60
        rows = world.predict(first, 30) + world.predict(second, 7)
        world.label(rows[::2], wrong=0.1 * step)
        if step == 6:
            world.promote(second)
        if step == 9:
            world.ledger.registry.rollback("fashion", reason="test", actor="test")
        monkeypatch.setattr("monitoring.walk._BATCH", 3 + step)
        if step % 3 != 1:
            evaluator.step()
    evaluator.step()
    in_pieces = everything(world)
    forget(world)
    monkeypatch.setattr("monitoring.walk._BATCH", 10_000)
    world.evaluator().step()
    assert everything(world) == in_pieces


def everything(world: World) -> Any:
    records = sorted(world.ledger.detectors.list("fashion"), key=lambda record: record.digest)
    losses = [world.ledger.losses.since("fashion", record.digest) for record in records]
    return max(record.last_sequence for record in records), [record.state for record in records], losses


def forget(world: World) -> None:
    with world.ledger.engine.begin() as connection:
        connection.execute(delete(detectors))
        connection.execute(delete(row_losses))


def test_two_evaluators_do_not_count_a_label_twice(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    world.evaluator().step()
    record = world.ledger.detectors.load("fashion", bundle.digest)
    world.label(world.predict(bundle, 10), wrong=0.0)
    world.evaluator().step()
    with pytest.raises(JobError, match="another evaluator"):
        world.ledger.detectors.save_many([record], [])
    (evidence,) = world.evaluator().step()
    assert evidence.labels == 10


def test_another_tolerance_answers_from_the_losses_that_are_stored(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    world.label(world.predict(bundle, 600), wrong=0.3)
    assert world.evaluator().step()[0].alarmed
    (lenient,) = world.evaluator(tolerance=0.4).step()
    assert (lenient.labels, lenient.alarmed, lenient.tolerance) == (600, False, 0.4)
    expected = EDetector(0.1, 0.02, 10_000)
    expected.update([row.loss for row in world.ledger.losses.since("fashion", bundle.digest)])
    world.evaluator().step()
    assert stored(world, bundle).detector.to_json() == expected.to_json()


def test_a_detector_that_reads_states_needs_no_monitoring(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    drift(world, bundle)
    world.evaluator().step()
    record: DetectorRecord = world.ledger.detectors.load("fashion", bundle.digest)
    assert EDetector.from_json(record.state).alarmed


def test_a_model_that_is_always_wrong_has_a_detector_too(world: World) -> None:
    bundle = world.bundle(loss=1.0)
    world.promote(bundle)
    world.label(world.predict(bundle, 50), wrong=1.0)
    (evidence,) = world.evaluator().step()
    assert (evidence.labels, evidence.alarmed) == (50, False)


def test_labels_without_their_prediction_are_counted(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    rows = world.predict(bundle, 10)
    world.label(rows, wrong=0.0)
    with world.ledger.engine.begin() as connection:
        gone = [parse_row_id(row)[0] for row in rows[2:5]]
        connection.execute(delete(predictions).where(predictions.c.request_id.in_(gone)))
    world.evaluator().step()
    tally = stored(world, bundle).tally
    assert (tally.received, tally.unmatched) == (7, 3)


def test_a_bundle_that_is_not_in_the_store_is_named(world: World) -> None:
    world.ledger.registry.promote("fashion", "f" * 64, reason="test", actor="test")
    with pytest.raises(BundleError, match="ffff"):
        world.evaluator().step()


def test_delays_are_counted_by_size(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    rows = world.predict(bundle, 3)
    world.clock.now += 120
    world.label(rows[:2], wrong=0.0)
    world.clock.now += 86_400 * 3
    world.ledger.labels.add_many([Label(rows[2], 1)])
    world.evaluator().step()
    tally = stored(world, bundle).tally
    assert (tally.delay_counts[1], sum(tally.delay_counts), tally.last_arrival) == (2, 3, world.clock.now)
    assert tally.delay_sum_seconds == 120 * 3 + 86_400 * 3


def test_labels_of_a_bundle_that_left_the_store_do_not_hold_up_the_champions(world: World) -> None:
    old, new = world.bundle(), world.bundle(temperature=2.0)
    world.promote(old)
    late = world.predict(old, 30)
    world.promote(new)
    shutil.rmtree(old.path)
    world.label(late, wrong=0.0)
    world.label(world.predict(new, 40), wrong=0.5)
    (evidence,) = world.evaluator().step()
    assert (evidence.digest, evidence.labels) == (new.digest, 40)
    world.label(world.predict(new, 10), wrong=0.5)
    (evidence,) = world.evaluator().step()
    assert evidence.labels == 50
