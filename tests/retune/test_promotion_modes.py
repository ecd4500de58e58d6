"""promotion = "approve" and "off": the test is the same, the last word is somebody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evertune.errors import JobError
from retune.decision import Decider
from retune.waiting import approve, reject

World = Any  # of conftest.py
MODEL = "sign"
DAY = 86_400.0


def decide(world: World) -> list[str]:
    return [request.status for request in Decider(world.ledger, world.project.settings.retune).step()]


@pytest.fixture
def asking(make_world: Callable[..., World], clock: Any) -> World:
    """A job whose challenger has passed its test, and awaits approval."""
    world = make_world(clock, promotion='"approve"', report_wait_seconds=0, promotion_wait_seconds=3 * DAY)
    world.drift()
    decide(world)
    world.worker().run_once()
    return world


def test_a_challenger_that_passed_waits_without_a_worker(asking: World) -> None:
    job = asking.job()
    assert (job.status, job.phase, job.detail["awaiting"]) == ("awaiting", "promote", "approval")
    assert job.detail["gate"]["outcome"] == "better"
    assert job.detail["awaiting_until"] == asking.clock.now + 3 * DAY
    assert asking.ledger.registry.champion(MODEL).digest == asking.champion.digest
    assert asking.store.get(job.detail["challenger_digest"]).digest == asking.challenger.digest
    assert asking.worker().run_once() is None


def test_while_it_waits_the_model_has_no_other_job(asking: World) -> None:
    asking.clock.now += 2 * DAY
    asking.ledger.requests.add(MODEL, "alertmanager", "again", {})
    assert decide(asking) == ["suppressed"]
    assert asking.request().reason == "active_job"
    assert decide(asking) == []
    assert asking.job().status == "awaiting"


def test_approved_it_is_promoted_with_the_name_of_who_approved(asking: World) -> None:
    settled = approve(asking.ledger, asking.job().id, actor="ann", reason="looks right")
    assert (settled.status, settled.phase) == ("pending", "promote")
    asking.worker().run_once()
    job, champion = asking.job(), asking.ledger.registry.champion(MODEL)
    assert job.status == "promoted"
    assert champion.digest == asking.challenger.digest
    assert champion.reason == f"re-tune job {job.id} passed its gate, approved by ann: looks right"
    assert champion.evidence["approval"]["actor"] == "ann"
    with pytest.raises(JobError, match="is promoted: it awaits nothing"):
        approve(asking.ledger, job.id, actor="ann")


def test_rejected_it_ends(asking: World) -> None:
    job = reject(asking.ledger, asking.job().id, actor="ann", reason="not before christmas")
    assert (job.status, job.detail["reason"]) == ("rejected", "rejected by ann: not before christmas")
    assert asking.worker().run_once() is None
    assert asking.ledger.registry.champion(MODEL).digest == asking.champion.digest
    with pytest.raises(JobError, match="is rejected: it awaits nothing"):
        reject(asking.ledger, job.id, actor="bob")


def test_another_champion_makes_the_test_worthless(asking: World) -> None:
    job = asking.job()
    asking.ledger.registry.promote(MODEL, asking.seal(-3.0).digest, reason="by hand", actor="test")
    with pytest.raises(JobError, match=r"cannot be approved any more: the champion changed after the gate"):
        approve(asking.ledger, job.id, actor="ann")
    assert asking.job().status == "awaiting"  # a refusal changes nothing; the decision loop ends it
    decide(asking)
    assert asking.job().status == "rejected"
    assert "the champion changed" in asking.job().detail["reason"]


def test_a_champion_that_changes_after_the_approval_is_left_alone(asking: World) -> None:
    approve(asking.ledger, asking.job().id, actor="ann")
    asking.ledger.registry.promote(MODEL, asking.seal(-3.0).digest, reason="by hand", actor="test")
    asking.worker().run_once()
    assert asking.job().status == "rejected"
    assert asking.ledger.registry.champion(MODEL).digest == asking.seal(-3.0).digest


def test_the_same_champion_in_a_new_reign_is_another(asking: World) -> None:
    asking.ledger.registry.promote(MODEL, asking.seal(-3.0).digest, reason="by hand", actor="test")
    asking.ledger.registry.rollback(MODEL, reason="no", actor="test")
    with pytest.raises(JobError, match="the champion changed"):
        approve(asking.ledger, asking.job().id, actor="ann")


def test_not_approved_in_time_it_expires_and_a_standing_alarm_asks_again(asking: World) -> None:
    asking.clock.now += 3 * DAY - 1
    decide(asking)
    assert asking.job().status == "awaiting"
    asking.clock.now += 1
    with pytest.raises(JobError, match="stale: awaited approval for too long"):
        approve(asking.ledger, asking.job().id, actor="ann")
    first = asking.job().id
    assert decide(asking) == ["accepted"]
    assert asking.ledger.jobs.get(first).status == "expired"
    assert asking.job().id > first


def test_an_approval_given_during_a_pause_waits_for_its_end(asking: World) -> None:
    asking.ledger.pauses.pause(MODEL, reason="", actor="bob")
    job, until = asking.job(), asking.job().detail["awaiting_until"]
    asking.clock.now += DAY
    approve(asking.ledger, job.id, actor="ann")
    asking.worker().run_once()
    assert asking.job().detail["awaiting"] == "pause"
    assert asking.job().detail["awaiting_until"] == until  # no second patience
    with pytest.raises(JobError, match="awaits the end of a pause, not approval"):
        approve(asking.ledger, job.id, actor="ann")
    asking.ledger.pauses.resume(MODEL, reason="", actor="bob")
    decide(asking)
    asking.worker().run_once()
    assert asking.job().status == "promoted"


def test_a_job_that_waits_often_is_not_given_up(asking: World) -> None:
    approve(asking.ledger, asking.job().id, actor="ann")
    for _ in range(25):
        asking.ledger.pauses.pause(MODEL, reason="", actor="bob")
        asking.worker().run_once()
        assert asking.job().status == "awaiting"
        asking.ledger.pauses.resume(MODEL, reason="", actor="bob")
        decide(asking)
    asking.worker().run_once()
    assert asking.job().status == "promoted"


def test_off_ends_with_a_recommendation(make_world: Callable[..., World], clock: Any) -> None:
    world = make_world(clock, promotion='"off"')
    world.drift()
    decide(world)
    world.worker().run_once()
    job = world.job()
    assert (job.status, job.detail["challenger_digest"]) == ("recommended", world.challenger.digest)
    assert job.detail["gate"]["outcome"] == "better"
    assert "nothing was promoted" in job.detail["reason"]
    assert len(world.ledger.registry.history(MODEL)) == 1
    clock.now += 30 * DAY
    assert decide(world) == []  # the alarm has its answer: nobody asks by himself
    world.ledger.requests.add(MODEL, "alertmanager", "again", {})
    assert decide(world) == ["accepted"]  # but who asks is heard


def test_a_test_that_is_not_passed_asks_nobody(make_world: Callable[..., World], clock: Any) -> None:
    world = make_world(clock, promotion='"approve"')
    world.drift()
    decide(world)

    def bad(order: Any, check: Callable[[], None]) -> Any:
        made = world.build(order, check)
        world.live(200, world.champion, noise=0.5)
        return made

    world.sign = 1.0  # the world turns back while it is searched
    world.worker(bad).run_once()
    assert world.job().status == "rejected"
    with pytest.raises(JobError, match="No job waits"):
        approve(world.ledger, world.job().id, actor="ann")
    with pytest.raises(JobError, match="no re-tune job 99"):
        approve(world.ledger, 99, actor="ann")
