from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from evertune.errors import LedgerError
from evertune.ledger import RetuneRequest
from evertune.settings import RetuneSettings
from evertune.timetable import ScheduleSettings
from retune.decision import Decider
from retune.schedules import Schedules

World = Any  # of conftest.py
MODEL = "sign"
HOUR = 3600.0
_RACE = """
import pathlib, sys
from evertune.ledger import Ledger
from evertune.settings import load_project
from retune.schedules import Schedules
project = load_project(pathlib.Path(sys.argv[1]))
at = [float(sys.argv[2])]
with Ledger.open(project.ledger_url, clock=lambda: at[0]) as ledger:
    schedules = Schedules(ledger, project.settings.retune)
    print("ready", flush=True)
    sys.stdin.readline()
    new = 0
    for _ in range(20):
        at[0] += 60.0
        new += len(schedules.step())
    print(new)
"""


def noon(day: int, hour: int = 12, minute: int = 0) -> float:
    """A moment in November 2026."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp()


def settings(*schedules: dict[str, Any]) -> RetuneSettings:
    daily = {"name": "daily", "cron": "0 12 * * *"}
    return RetuneSettings(schedules=tuple(ScheduleSettings(**{**daily, **each}) for each in schedules or ({},)))


def slots(requests: list[RetuneRequest]) -> list[str]:
    return [request.fingerprint for request in requests]


@pytest.fixture
def served(world: World) -> World:
    """A champion, and a clock at eleven."""
    world.ledger.registry.promote(MODEL, world.champion.digest, reason="first", actor="test")
    world.clock.now = noon(2, 11)
    return world


def test_it_asks_once_when_the_time_has_come(served: World) -> None:
    schedules = Schedules(served.ledger, settings())
    assert schedules.step() == []
    served.clock.now = noon(2) - 1
    assert schedules.step() == []
    served.clock.now = noon(2)
    (request,) = schedules.step()
    assert (request.model, request.trigger, request.status) == (MODEL, "schedule", "open")
    assert request.fingerprint == "schedule:daily:2026-11-02T12:00"
    assert request.evidence == {"reason": "schedule daily"}
    assert schedules.step() == []
    served.clock.now = noon(3) + 1.7
    assert slots(schedules.step()) == ["schedule:daily:2026-11-03T12:00"]


def test_without_drift_is_only_for_the_schedule_that_says_so(served: World) -> None:
    schedules = Schedules(served.ledger, settings({}, {"name": "fresh", "without_drift": True}))
    served.clock.now = noon(2)
    schedules.step()
    decided = Decider(served.ledger, settings()).step()
    assert [(each.fingerprint.split(":")[1], each.status, each.reason) for each in decided] == [
        ("daily", "suppressed", "no_evidence"),
        ("fresh", "accepted", "accepted"),
    ]


def test_evidence_decides_about_a_schedule_like_about_any_other_trigger(world: World) -> None:
    world.drift()
    world.ledger.requests.decide(world.request().id, "suppressed", "as if nobody had asked")
    schedules = Schedules(world.ledger, settings({"cron": "* * * * *"}))
    world.clock.now += 60
    schedules.step()
    assert Decider(world.ledger, world.project.settings.retune).step()[0].status == "accepted"


@pytest.mark.parametrize(
    ("down", "asked"),
    [
        ((noon(2, 11), noon(2, 12, 59)), ["2026-11-02T12:00"]),  # missed by less than an hour: made up for
        ((noon(2, 11), noon(2, 13, 1)), []),  # by more: skipped
        ((noon(2, 11), noon(5, 12, 30)), ["2026-11-05T12:00"]),  # several: the last one alone
    ],
)
@pytest.mark.parametrize("how", ["restarted", "asleep"])
def test_a_missed_firing_is_made_up_for_once_or_skipped(
    served: World, down: tuple[float, float], asked: list[str], how: str
) -> None:
    served.clock.now = down[0]
    schedules = Schedules(served.ledger, settings())
    schedules.step()
    served.clock.now = down[1]
    if how == "restarted":
        schedules = Schedules(served.ledger, settings())
    found = [*schedules.step(), *schedules.step(), *Schedules(served.ledger, settings()).step()]
    assert slots(found) == [f"schedule:daily:{each}" for each in asked]


def test_nothing_missed_is_made_up_for_where_the_schedule_says_so(served: World) -> None:
    served.clock.now = noon(2) + 1
    assert Schedules(served.ledger, settings({"catch_up_seconds": 0})).step() == []


def test_an_hour_that_the_clock_shows_twice_counts_once(served: World) -> None:
    served.clock.now = datetime(2026, 10, 25, 0, 0, tzinfo=UTC).timestamp()
    schedules, found = Schedules(served.ledger, settings({"cron": "30 2 * * *", "timezone": "Europe/Berlin"})), []
    for _ in range(30):
        served.clock.now += 600
        found += schedules.step()
    assert slots(found) == ["schedule:daily:2026-10-25T02:30"]


def test_an_outage_of_the_ledger_costs_no_firing(served: World, monkeypatch: pytest.MonkeyPatch) -> None:
    schedules = Schedules(served.ledger, settings())
    schedules.step()
    served.clock.now = noon(2)
    with monkeypatch.context() as patch:

        def away() -> list[str]:
            raise LedgerError("away")

        patch.setattr(served.ledger.registry, "models", away)
        with pytest.raises(LedgerError):
            schedules.step()
    served.clock.now += 30
    assert len(schedules.step()) == 1


def test_a_schedule_is_for_all_models_or_for_one_and_a_missing_one_stops_nobody(
    served: World, caplog: pytest.LogCaptureFixture
) -> None:
    served.ledger.registry.promote("other", served.champion.digest, reason="first", actor="test")
    entries = ({"name": "lost", "model": "hats"}, {"name": "one", "model": "other"}, {"name": "all"})
    schedules = Schedules(served.ledger, settings(*entries))
    served.clock.now = noon(2)
    found = schedules.step()
    assert [(each.model, each.evidence["reason"]) for each in found] == [
        ("other", "schedule one"),
        ("other", "schedule all"),
        (MODEL, "schedule all"),
    ]
    assert "'hats' has no champion" in caplog.text


def test_two_workers_ask_once_for_each_firing(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.ledger.registry.promote(MODEL, world.champion.digest, reason="first", actor="test")
    path = world.project.root / "evertune.toml"
    path.write_text(f'{path.read_text()}\n[[retune.schedules]]\nname = "often"\ncron = "* * * * *"\n')
    command = [sys.executable, "-c", _RACE, str(world.project.root), str(noon(2))]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    counts = []
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    counts = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(counts) == len(world.ledger.requests.list(MODEL)) == 20
