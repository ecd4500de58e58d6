from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evertune.bundle import Bundle, BundleStore
from evertune.bundle.trust import Signer
from evertune.ledger import Label
from retune.building import BuilderKilledError
from retune.challenger import Challenger
from retune.champion import bind
from retune.decision import Decider
from retune.rollback import rollback

World = Any  # of conftest.py
MODEL = "sign"


def start(world: World) -> None:
    """A drifted champion and a pending job."""
    world.drift()
    Decider(world.ledger, world.project.settings.retune).step()
    assert world.job().status == "pending"


def ordered(world: World, *names: str) -> list[tuple[float, float]]:
    """Oldest and newest time of prediction of each set of the newest job; asserts that the sets share no row."""
    sets = [list(world.ledger.jobs.rows(world.job().id, name)) for name in names]
    assert len({row for rows in sets for row in rows}) == sum(map(len, sets))
    found = [world.ledger.predictions.get([row.split(":")[0] for row in rows]).values() for rows in sets]
    times = [[prediction.predicted_at for prediction in predictions] for predictions in found]
    return [(min(each), max(each)) for each in times]


def run_with_report(world: World, build: Any = None) -> None:
    """Runs the job; as soon as its challenger is champion, it serves and labels come."""
    done = threading.Event()

    def outside() -> None:
        while not done.wait(0.01):
            champion = world.ledger.registry.champion(MODEL)
            if champion.digest == world.challenger.digest:
                world.serve_after_promotion(60, world.challenger)
                return

    thread = threading.Thread(target=outside)
    thread.start()
    try:
        world.worker(build).run_once()
    finally:
        done.set()
        thread.join()


def test_a_better_challenger_is_promoted_with_everything_on_record(world: World) -> None:
    start(world)
    run_with_report(world)
    job = world.job()
    assert (job.status, job.phase, job.detail["reason"]) == ("promoted", "report", "promoted and reported")
    champion = world.ledger.registry.champion(MODEL)
    assert champion.digest == world.challenger.digest == job.detail["challenger_digest"]
    assert champion.evidence["job_id"] == job.id
    assert champion.evidence["gate"] == job.detail["gate"]

    train, gate, report = ordered(world, "train", "gate", "report")
    assert train[1] < gate[0]
    assert gate[1] < report[0]
    detail = job.detail
    assert detail["counts"]["train"] >= 60
    assert detail["counts"]["gate"] >= 80
    assert detail["counts"]["report"] >= 40
    assert detail["trigger"] == "drift"
    assert detail["champion_digest"] == world.champion.digest
    assert list(detail["seconds"]) == ["train_rows", "search", "gate", "promote", "report"]
    assert detail["trial"]["hyperparameters"] == {"sign": -1}
    assert detail["alarm"]["labels"] == detail["evidence"]["alarm_at"]

    found = detail["gate"]
    assert (found["outcome"], found["margin"], found["error_rate"], found["gate_number"]) == ("better", 0.0, 0.025, 1)
    assert found["p_value"] < 0.001  # its floor: the share spent on the nuisance parameter
    assert found["interval"]["upper"] < 0
    recovery = detail["report"]
    assert recovery["before"]["ratio"] > 0.85
    assert recovery["during"]["ratio"] < 0.2
    assert recovery["after"]["ratio"] > 0.85
    assert recovery["recovered_ratio"] > 0.85
    assert recovery["after"]["interval"]["lower"] < recovery["after"]["ratio"]


def test_the_onset_is_found_where_the_world_changed(world: World) -> None:
    start(world)
    run_with_report(world)
    onset = world.job().detail["onset"]
    assert abs(onset["labels"] - 200) <= 5
    assert onset["predicted_at"] == 1_000_000 + onset["labels"]
    train = ordered(world, "train")[0]
    assert train[0] == onset["predicted_at"]


def test_late_labels_of_the_training_time_stay_out_of_the_gate(world: World) -> None:
    start(world)
    late = world.live(30, world.champion, keep=True)
    known = set(late)

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        trained = set(world.ledger.jobs.rows(order.job_id, "train"))
        assert known <= trained
        return world.build(order, check)  # type: ignore[no-any-return]

    run_with_report(world, build)
    assert known.isdisjoint(world.ledger.jobs.rows(world.job().id, "gate"))


def test_a_challenger_that_is_no_better_is_rejected(world: World) -> None:
    start(world)
    same = world.seal(1.0, labels=("negative", "positive"))

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        world.live(100, world.champion, noise=0.5)
        return Challenger(world.challenger.digest, {}, 1)

    world.worker(build).run_once()
    job = world.job()
    assert same.digest == world.champion.digest
    assert job.status == "rejected"
    assert job.detail["gate"]["outcome"] == "not_better"
    assert "not shown to be better" in job.detail["reason"]
    assert world.ledger.registry.champion(MODEL).digest == world.champion.digest
    assert len(world.ledger.registry.history(MODEL)) == 1


def test_the_champion_itself_is_no_challenger_and_spends_no_rows(world: World) -> None:
    start(world)

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        world.live(100, world.champion)
        return Challenger(world.champion.digest, {}, 1)

    world.worker(build).run_once()
    assert (world.job().status, world.job().detail["reason"]) == ("rejected", "the challenger is the champion already")
    assert world.ledger.jobs.gate_rows_used(MODEL) == set()


@pytest.mark.parametrize(
    ("changes", "phase"),
    [({"min_train_labels": 10_000}, "train_rows"), ({"min_gate_labels": 10_000}, "gate")],
    ids=["train", "gate"],
)
def test_too_few_labels_are_insufficient_when_patience_ends(
    make_world: Callable[..., World], changes: dict[str, int], phase: str
) -> None:
    world = make_world(gate_wait_seconds=0.1, **changes)
    start(world)
    world.worker().run_once()
    job = world.job()
    assert (job.status, job.phase) == ("insufficient", phase)
    assert "10000 are needed" in job.detail["reason"]
    assert world.ledger.registry.champion(MODEL).digest == world.champion.digest
    assert world.ledger.jobs.gate_rows_used(MODEL) == set()


def test_rows_without_inputs_teach_nothing(make_world: Callable[..., World]) -> None:
    world = make_world(gate_wait_seconds=0.1)
    world.ledger.registry.promote(MODEL, world.champion.digest, reason="first", actor="test")
    world.live(200, world.champion)
    world.sign = -1.0
    world.live(100, world.champion, keep=False)
    world.evaluate()
    Decider(world.ledger, world.project.settings.retune).step()
    world.worker().run_once()
    assert world.job().status == "insufficient"


def test_a_second_challenger_meets_fresh_rows_at_a_smaller_error_rate(world: World) -> None:
    start(world)

    def bad(order: Any, check: Callable[[], None]) -> Challenger:
        world.live(100, world.champion, noise=0.5)
        return Challenger(world.challenger.digest, {}, 1)

    world.worker(bad).run_once()
    first = set(world.ledger.jobs.rows(world.job().id, "gate"))
    world.clock.now += 10
    Decider(world.ledger, world.project.settings.retune).step()
    run_with_report(world)
    job = world.job()
    assert job.status == "promoted"
    assert (job.detail["gate"]["gate_number"], round(job.detail["gate"]["error_rate"], 6)) == (2, 0.008333)
    assert first.isdisjoint(world.ledger.jobs.rows(job.id, "gate"))
    assert first <= set(world.ledger.jobs.rows(job.id, "train"))  # old gates may teach


def test_a_failed_build_leaves_the_champion(world: World) -> None:
    start(world)

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        raise ValueError("no such optimizer")

    world.worker(build).run_once()
    job = world.job()
    assert (job.status, job.detail["reason"]) == ("failed", "ValueError: no such optimizer")
    assert world.ledger.registry.champion(MODEL).digest == world.champion.digest


def test_a_damaged_challenger_fails_the_job(world: World) -> None:
    start(world)

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        made: Bundle = world.challenger
        damaged = bytearray(made.model_path.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        made.model_path.chmod(0o644)
        made.model_path.write_bytes(damaged)
        return world.build(order, check)  # type: ignore[no-any-return]

    world.worker(build).run_once()
    job = world.job()
    assert job.status == "failed"
    assert "model.onnx" in job.detail["reason"]
    assert world.ledger.registry.champion(MODEL).digest == world.champion.digest


def test_a_challenger_that_no_trusted_key_has_signed_fails_the_job(world: World, tmp_path: Path) -> None:
    public_key = Signer.create(tmp_path / "key.pem")
    BundleStore(world.store.url, signing_key=tmp_path / "key.pem").sign(world.champion.digest)
    world.store = BundleStore(world.store.url, trusted={public_key})
    start(world)
    world.worker().run_once()
    job = world.job()
    assert (job.status, job.phase) == ("failed", "gate")
    assert "is not signed" in job.detail["reason"]
    assert world.ledger.registry.champion(MODEL).digest == world.champion.digest


def test_a_challenger_with_other_classes_is_refused(world: World) -> None:
    start(world)
    other = world.seal(-1.0, labels=("positive", "negative"))

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        world.live(100, world.champion)
        return Challenger(other.digest, {}, 1)

    world.worker(build).run_once()
    assert world.job().status == "failed"
    assert "differ in labels" in world.job().detail["reason"]


def test_a_champion_that_changes_during_the_search_is_the_one_to_beat(world: World) -> None:
    start(world)

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        made = world.build(order, check)
        noisy = world.seal(-2.0)  # as good as the challenger
        world.clock.now += 5
        world.ledger.registry.promote(MODEL, noisy.digest, reason="by hand", actor="test")
        return made  # type: ignore[no-any-return]

    world.worker(build).run_once()
    job = world.job()
    assert job.status == "rejected"
    assert job.detail["champion_digest"] == world.ledger.registry.champion(MODEL).digest
    assert job.detail["gate"]["difference"] == 0.0


def test_a_champion_that_changes_after_the_gate_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    start(world)
    update = world.ledger.jobs.update

    def update_then_intrude(*arguments: Any, **changes: Any) -> Any:
        job = update(*arguments, **changes)
        if changes.get("phase") == "promote":
            world.ledger.registry.promote(MODEL, world.seal(-3.0).digest, reason="by hand", actor="test")
        return job

    monkeypatch.setattr(world.ledger.jobs, "update", update_then_intrude)
    world.worker().run_once()
    assert world.job().status == "rejected"
    assert "the champion changed" in world.job().detail["reason"]
    assert world.ledger.registry.champion(MODEL).digest == world.seal(-3.0).digest


def test_a_champion_that_changes_in_the_last_moment_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(world)
    promote = world.ledger.registry.promote

    def intrude_then_promote(*arguments: Any, **changes: Any) -> Any:
        promote(MODEL, world.seal(-3.0).digest, reason="by hand", actor="test")
        return promote(*arguments, **changes)

    monkeypatch.setattr(world.ledger.registry, "promote", intrude_then_promote)
    world.worker().run_once()
    assert world.job().status == "rejected"
    assert "the champion changed" in world.job().detail["reason"]
    assert world.ledger.registry.champion(MODEL).digest == world.seal(-3.0).digest


def test_a_bundle_that_came_back_keeps_its_error_budget(world: World) -> None:
    world.drift()
    first = world.ledger.registry.champion(MODEL)
    world.ledger.registry.promote(MODEL, world.challenger.digest, reason="second", actor="test")
    world.ledger.registry.rollback(MODEL, reason="worse", actor="test")
    again = world.ledger.registry.champion(MODEL)
    bound = bind(again, world.ledger.registry)
    assert (bound["champion_sequence"], bound["champion_since"]) == (again.sequence, first.decided_at)


def test_a_promotion_that_turns_out_worse_is_taken_back(world: World) -> None:
    start(world)
    done = threading.Event()

    def outside() -> None:
        while not done.wait(0.01):
            if world.ledger.registry.champion(MODEL).digest == world.challenger.digest:
                world.sign = 1.0  # the world turns back
                world.serve_after_promotion(60, world.challenger)
                return

    thread = threading.Thread(target=outside)
    thread.start()
    world.worker().run_once()
    done.set()
    thread.join()
    job = world.job()
    assert job.status == "rolled_back"
    assert job.detail["report"]["undo"]["outcome"] == "better"
    restored = world.ledger.registry.champion(MODEL)
    assert (restored.digest, restored.actor) == (world.champion.digest, f"retune job {job.id}")
    assert restored.restores == 1


def test_a_rollback_while_the_report_is_awaited_ends_the_job(world: World) -> None:
    start(world)
    done = threading.Event()

    def outside() -> None:
        while not done.wait(0.01):
            if world.job().phase == "report":
                rollback(world.ledger, MODEL, reason="customers complain", actor="ann")
                return

    thread = threading.Thread(target=outside)
    thread.start()
    world.worker().run_once()
    done.set()
    thread.join()
    job = world.job()
    assert (job.status, job.detail["reason"]) == ("rolled_back", "rolled back by ann: customers complain")
    assert world.ledger.registry.champion(MODEL).digest == world.champion.digest


def test_a_rollback_after_the_job_is_noted_in_it(world: World) -> None:
    start(world)
    run_with_report(world)
    world.clock.now += 10
    restored = rollback(world.ledger, MODEL, reason="customers complain", actor="ann")
    assert restored.digest == world.champion.digest
    assert world.job().status == "rolled_back"
    assert world.job().detail["reason"] == "rolled back by ann: customers complain"
    assert Decider(world.ledger, world.project.settings.retune).step() == []  # the old alarm is answered


def test_no_labels_after_promotion_end_without_a_report(make_world: Callable[..., World]) -> None:
    world = make_world(report_wait_seconds=0.1)
    start(world)
    world.worker().run_once()
    job = world.job()
    assert (job.status, job.detail["report"]) == ("promoted", None)
    assert list(world.ledger.jobs.rows(job.id, "report")) == []


def test_a_stopped_worker_hands_its_job_to_the_next(world: World) -> None:
    start(world)
    stop = threading.Event()

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        stop.set()
        check()
        raise AssertionError("check must have raised")

    left = world.worker(build, stop).run_once()
    assert (left.status, left.phase) == ("running", "search")
    world.clock.now += 0.001  # the lease was given back: nobody waits for it
    run_with_report(world)
    assert (world.job().status, world.job().attempt) == ("promoted", 2)


def test_a_killed_builder_is_tried_again_but_not_for_ever(world: World) -> None:
    start(world)
    tries: list[int] = []

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        tries.append(order.job_id)
        raise BuilderKilledError("killed by signal 9")

    for _ in range(30):
        world.worker(build).run_once()
        world.clock.now += 1
    assert world.job().status == "failed"
    assert "given up" in world.job().detail["reason"]
    assert len(tries) == 21  # the first in the claim that began with the phase before


def test_a_worker_that_lost_its_lease_writes_nothing_more(world: World) -> None:
    start(world)

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        world.clock.now += 100  # as if this process had been asleep
        other = world.ledger.jobs.claim("other", 1000)
        assert other is not None
        return Challenger(world.challenger.digest, {}, 1)

    left = world.worker(build).run_once()
    assert left.phase == "search"
    job = world.job()
    assert (job.lease_owner, job.phase, job.status) == ("other", "search", "running")


def test_corrected_labels_count_as_corrected(world: World) -> None:
    start(world)

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        made = world.build(order, check)
        rows = world.ledger.labels.labelled_rows(MODEL, newest=100)
        flipped = [Label(row, int(1 - label)) for row, label in zip(rows.ids, rows.labels, strict=True)]
        world.ledger.labels.add_many(flipped)
        return made  # type: ignore[no-any-return]

    world.worker(build).run_once()
    job = world.job()
    assert job.status == "rejected"  # by the corrected truth the champion was right
    assert np.isclose(job.detail["gate"]["champion_loss"], 0.05, atol=0.06)
