"""Pauses and maintenance windows: nothing begins, nothing is promoted, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from evertune.settings import load_project
from retune.ask import ask
from retune.brakes import Brakes
from retune.decision import Decider

World = Any  # of conftest.py
MODEL = "sign"
MONDAY = datetime(2026, 11, 23, 7, 0, tzinfo=UTC).timestamp()
WINDOW = '\n[[retune.maintenance]]\ncron = "0 8 * * mon"\nduration_seconds = 36000\nholds = "{}"\n'


def decide(world: World) -> list[tuple[str, str]]:
    decided = Decider(world.ledger, world.project.settings.retune).step()
    return [(request.status, request.reason) for request in decided]


def with_window(world: World, holds: str) -> World:
    """Mondays from eight to six; it is seven."""
    path = world.project.root / "evertune.toml"
    path.write_text(path.read_text() + WINDOW.format(holds))
    world.project = load_project(world.project.root)
    world.clock.now = MONDAY
    world.at = MONDAY - 3600
    return world


def test_what_is_asked_during_a_pause_is_kept_and_decided_afterwards(world: World) -> None:
    world.drift()
    world.ledger.pauses.pause(MODEL, until=world.clock.now + 60, reason="stocktaking", actor="ann")
    assert decide(world) == []
    (request,) = world.ledger.requests.open()
    assert request.reason == "pause until 1970-01-24 03:34 UTC (ann: stocktaking)"
    assert world.ledger.jobs.list() == []
    world.clock.now += 60
    assert decide(world) == [("accepted", "accepted")]


def test_resuming_early_lets_it_go_on(world: World) -> None:
    world.drift()
    world.ledger.pauses.pause(MODEL, reason="", actor="ann")
    decide(world)
    world.ledger.pauses.resume(MODEL, reason="", actor="ann")
    assert decide(world) == [("accepted", "accepted")]


def test_a_pause_is_of_one_model(world: World) -> None:
    world.drift()
    world.ledger.pauses.pause("another", reason="", actor="ann")
    assert decide(world) == [("accepted", "accepted")]


def test_a_job_that_waits_for_a_worker_does_not_begin_in_a_pause(world: World) -> None:
    world.drift()
    decide(world)
    world.ledger.pauses.pause(MODEL, reason="", actor="ann")
    assert world.worker().run_once() is None
    assert world.job().status == "pending"
    world.ledger.pauses.resume(MODEL, reason="", actor="ann")
    end_with_promotion(world)


@pytest.mark.parametrize("how", ["pause", "window"])
def test_a_running_job_tests_its_challenger_and_waits_with_the_promotion(world: World, how: str) -> None:
    if how == "window":
        with_window(world, "promotions")
    world.drift()
    decide(world)

    def build(order: Any, check: Callable[[], None]) -> Any:
        made = world.build(order, check)
        if how == "pause":
            world.ledger.pauses.pause(MODEL, reason="", actor="ann")
        else:
            world.clock.now = MONDAY + 2 * 3600
        return made

    world.worker(build).run_once()
    job = world.job()
    assert (job.status, job.phase, job.lease_owner) == ("awaiting", "promote", "")
    assert job.detail["awaiting"] == ("pause" if how == "pause" else "maintenance")
    assert job.detail["gate"]["outcome"] == "better"
    assert world.ledger.registry.champion(MODEL).digest == world.champion.digest
    assert world.worker().run_once() is None  # the worker is free
    assert decide(world) == []
    assert world.job().status == "awaiting"

    world.clock.now += 9 * 3600  # the window is over at six
    world.ledger.pauses.resume(MODEL, reason="", actor="ann")
    decide(world)
    assert world.job().status == "pending"
    end_with_promotion(world)
    assert world.ledger.registry.champion(MODEL).digest == world.challenger.digest


def end_with_promotion(world: World) -> None:
    """The report waits for no label."""
    retune = world.project.settings.retune.model_copy(update={"report_wait_seconds": 0.0})
    settings = world.project.settings.model_copy(update={"retune": retune})
    world.project = type(world.project)(world.project.root, settings)
    world.worker().run_once()
    assert world.job().status == "promoted"


@pytest.mark.parametrize(("holds", "starts", "promotes"), [("starts", False, True), ("promotions", True, False)])
def test_a_window_holds_what_it_says(world: World, holds: str, starts: bool, promotes: bool) -> None:
    with_window(world, holds)
    brakes = Brakes(world.ledger, world.project.settings.retune)
    assert (brakes.start(MODEL), brakes.promotion(MODEL)) == (None, None)
    for hour in (1, 10.99):  # from eight to six
        world.clock.now = MONDAY + hour * 3600
        assert (brakes.start(MODEL) is None) is starts
        assert (brakes.promotion(MODEL) is None) is promotes
        hold = brakes.start(MODEL) or brakes.promotion(MODEL)
        assert hold is not None
        assert (hold.what, hold.until) == ("maintenance", MONDAY + 11 * 3600)
    world.clock.now = MONDAY + 11 * 3600
    assert (brakes.start(MODEL), brakes.promotion(MODEL)) == (None, None)
    world.clock.now = MONDAY + 26 * 3600  # Tuesday at nine
    assert brakes.start(MODEL) is None


def test_what_is_asked_in_a_window_waits_until_it_ends(world: World) -> None:
    with_window(world, "starts")
    world.drift()
    world.clock.now = MONDAY + 3600
    assert decide(world) == []
    assert world.request().reason == "maintenance until 2026-11-23 18:00 UTC"
    world.clock.now = MONDAY + 11 * 3600
    assert decide(world) == [("accepted", "accepted")]


def test_a_long_pause_keeps_every_wish_and_grants_one(world: World) -> None:
    world.drift()
    world.ledger.pauses.pause(MODEL, reason="", actor="ann")
    for week in range(5):
        ask(world.ledger, MODEL, "schedule", without_drift=True, fingerprint=f"week {week}")
        decide(world)
        world.clock.now += 7 * 86_400
    assert len(world.ledger.requests.open()) == 6  # the alarm's is one of them; nobody asks again meanwhile
    world.ledger.pauses.resume(MODEL, reason="", actor="ann")
    assert decide(world) == [("accepted", "accepted"), *[("suppressed", "active_job")] * 5]
