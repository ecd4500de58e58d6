from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evertune.errors import UnknownModelError
from evertune.ledger import RetuneRequest
from monitoring.evaluator import Evaluator
from retune.ask import ask
from retune.decision import Decider

World = Any  # of conftest.py
MODEL = "sign"


def decide(world: World) -> list[RetuneRequest]:
    return Decider(world.ledger, world.project.settings.retune).step()


def end_job(world: World, status: str = "rejected") -> None:
    job = world.ledger.jobs.claim("somebody", 60)
    world.ledger.jobs.finish(job.id, "somebody", status)


def test_evidence_in_the_ledger_makes_a_job(world: World) -> None:
    world.drift()
    (request,) = decide(world)
    assert (request.trigger, request.status) == ("drift", "accepted")
    assert world.job().request_id == request.id
    assert world.job().id == request.job_id
    assert decide(world) == []


@pytest.mark.parametrize("trigger", ["drift", "alertmanager", "schedule", "manual"])
def test_a_wish_without_evidence_is_suppressed(world: World, trigger: str) -> None:
    world.ledger.registry.promote(MODEL, world.champion.digest, reason="first", actor="test")
    world.live(100, world.champion)
    world.evaluate()
    world.ledger.requests.add(MODEL, trigger, "forged", {"log10_evidence": 99, "alarm_at": 1})
    (request,) = decide(world)
    assert (request.status, request.reason) == ("suppressed", "no_evidence")
    assert world.ledger.jobs.list(MODEL) == []


@pytest.mark.parametrize(
    ("trigger", "status"), [("manual", "accepted"), ("schedule", "accepted"), ("drift", "suppressed")]
)
def test_only_people_and_schedules_may_ask_without_drift(world: World, trigger: str, status: str) -> None:
    world.ledger.registry.promote(MODEL, world.champion.digest, reason="first", actor="test")
    world.ledger.requests.add(MODEL, trigger, "f", {"without_drift": True})
    assert [request.status for request in decide(world)] == [status]


def test_evidence_against_an_earlier_champion_is_stale(world: World) -> None:
    world.drift()
    world.ledger.registry.promote(MODEL, world.challenger.digest, reason="by hand", actor="test")
    (request,) = decide(world)
    assert (request.status, request.reason) == ("suppressed", "stale_evidence")


def test_a_bundle_that_came_back_is_not_held_to_its_old_alarm(world: World) -> None:
    world.drift()
    world.clock.now += 10
    world.ledger.registry.promote(MODEL, world.challenger.digest, reason="by hand", actor="test")
    world.clock.now += 10
    world.ledger.registry.rollback(MODEL, reason="by hand", actor="test")
    world.ledger.requests.add(MODEL, "alertmanager", "late alert", {})
    assert [request.reason for request in decide(world)] == ["no_evidence", "no_evidence"]
    world.evaluate()
    world.ledger.requests.add(MODEL, "alertmanager", "later alert", {})
    assert [request.reason for request in decide(world)] == ["no_evidence"]


def test_an_unknown_model_is_suppressed(world: World) -> None:
    world.ledger.requests.add("nobody", "alertmanager", "f", {})
    assert [request.reason for request in decide(world)] == ["no_champion"]


def test_one_active_job_a_model(world: World) -> None:
    world.drift()
    world.ledger.requests.add(MODEL, "alertmanager", "a", {})
    world.ledger.requests.add(MODEL, "alertmanager", "b", {})
    assert [(request.status, request.reason) for request in decide(world)] == [
        ("accepted", "accepted"),
        ("suppressed", "active_job"),
        ("suppressed", "active_job"),
    ]
    assert len(world.ledger.jobs.list(MODEL)) == 1


def test_a_hundred_duplicates_make_one_job(world: World) -> None:
    world.drift()
    for _ in range(100):
        world.ledger.requests.add(MODEL, "alertmanager", "the same", {})
        decide(world)
    assert len(world.ledger.jobs.list(MODEL)) == 1
    assert len(world.ledger.requests.list(MODEL)) == 2  # the evaluator's and the alert's


def test_cooldown_counts_from_the_end_of_the_last_job(make_world: Callable[..., World], clock: Any) -> None:
    world = make_world(clock, cooldown_seconds=100)
    world.drift()
    decide(world)
    clock.now += 1000
    end_job(world)
    clock.now += 99
    world.ledger.requests.add(MODEL, "alertmanager", "a", {})
    assert [request.reason for request in decide(world)] == ["cooldown"]
    clock.now += 2
    world.ledger.requests.add(MODEL, "alertmanager", "b", {})
    assert [request.status for request in decide(world)] == ["accepted"]


def test_an_alarm_that_was_put_off_asks_again_by_itself(make_world: Callable[..., World], clock: Any) -> None:
    world = make_world(clock, cooldown_seconds=100)
    world.drift()
    decide(world)
    end_job(world)
    clock.now += 50
    assert decide(world) == []  # in the cooldown nobody asks
    clock.now += 51
    (request,) = decide(world)
    assert (request.trigger, request.status) == ("drift", "accepted")
    assert request.evidence["after_request"] == request.id - 1


def test_an_alarm_is_heard_even_if_its_asker_died(world: World) -> None:
    world.drift()
    lost = world.ledger.requests.open()[0]
    world.ledger.requests.decide(lost.id, "suppressed", "as if it had never been")
    world.ledger.registry.promote(MODEL, world.challenger.digest, reason="x", actor="test")
    world.clock.now += 10
    world.ledger.registry.promote(MODEL, world.champion.digest, reason="x", actor="test")
    world.at = world.clock.now + 1
    world.live(100, world.champion)
    settings = world.project.settings.monitor.model_copy(update={"request_retune": False})
    Evaluator(world.ledger, world.store, settings, world.clock).step()
    assert decide(world) == []
    world.clock.now += 61
    alone = Decider(world.ledger, world.project.settings.retune, evaluator_asks=False)
    assert alone.step() == []  # where Alertmanager alone may ask, nobody asks in its place
    assert [request.status for request in decide(world)] == ["accepted"]


def test_jobs_per_day(make_world: Callable[..., World], clock: Any) -> None:
    world = make_world(clock, max_jobs_per_day=2)
    world.drift()
    for _ in range(2):
        assert [request.status for request in decide(world)] == ["accepted"]
        end_job(world)
        clock.now += 3600
    world.ledger.requests.add(MODEL, "alertmanager", "third", {})
    assert [request.reason for request in decide(world)] == ["daily_budget"]
    clock.now += 86_400 - 7200 + 1
    assert [request.status for request in decide(world)] == ["accepted"]


def test_asking_by_hand_goes_the_same_way(world: World) -> None:
    with pytest.raises(UnknownModelError, match="evertune tune"):
        ask(world.ledger, MODEL)
    world.ledger.registry.promote(MODEL, world.champion.digest, reason="first", actor="test")
    ask(world.ledger, MODEL)
    ask(world.ledger, MODEL, "schedule", without_drift=True, fingerprint="2026-11-01")
    _, new = ask(world.ledger, MODEL, "schedule", without_drift=True, fingerprint="2026-11-01")
    assert not new
    assert [request.reason for request in decide(world)] == ["no_evidence", "accepted"]
