"""pause, resume, approve and reject on a real ledger."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from cli.times import parse_duration, parse_moment
from evertune.errors import InputError
from evertune.ledger import Ledger, RetuneJob
from evertune.settings import Project

Run = Callable[..., Any]
Seal = Callable[[float], str]


@pytest.fixture
def digest(run: Run, seal: Seal) -> str:
    """Of a champion."""
    sealed = seal(1.0)
    assert run("promote", sealed).code == 0
    return sealed


def awaiting_job(project: Project, challenger: str) -> RetuneJob:
    """A job as the worker leaves it when its challenger passed."""
    with Ledger.open(project.ledger_url) as ledger:
        champion = ledger.registry.champion("shoes")
        assert champion is not None
        job = ledger.jobs.create("shoes")
        ledger.jobs.claim("w", 60)
        bound = {"champion_sequence": champion.sequence, "challenger_digest": challenger}
        ledger.jobs.update(job.id, "w", phase="promote", detail=bound)
        return ledger.jobs.park(job.id, "w", {"awaiting": "approval", "awaiting_until": time.time() + 600})


def test_pause_and_resume_show_in_the_status(run: Run, project: Project, digest: str) -> None:
    done = run("pause", "--reason", "stocktaking")
    assert (done.code, done.out) == (0, "shoes is paused until `evertune resume`.\n")
    text = run("status").out
    assert "│ held      │ pause (" in text
    assert "stocktaking)" in text
    held = run("status", "--json").json()["models"][0]["held"]
    assert held["starts"] == held["promotions"]
    assert "stocktaking" in held["starts"]
    assert run("resume").out == "shoes is re-tuned again.\n"
    assert run("resume").out == "shoes was not paused.\n"
    assert run("resume", "--json").json() == {"model": "shoes", "was_paused": False}
    assert run("status", "--json").json()["models"][0]["held"] == {"starts": None, "promotions": None}


def test_a_pause_may_have_an_end(run: Run, project: Project, digest: str) -> None:
    before = time.time()
    made = run("pause", "--for", "2h", "--json").json()
    assert before + 7200 <= made["until"] <= time.time() + 7200
    assert run("pause", "--until", "2199-01-01T00:00Z", "--json").json()["until"] == parse_moment("2199-01-01T00:00Z")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--for", "soon"], "'soon' is no duration"),
        (["--for", "0h"], "'0h' is no duration"),
        (["--until", "tomorrow"], "'tomorrow' is no time"),
        (["--until", "2001-01-01"], "would end before it begins"),
        (["--until", "2199-01-01", "--for", "2h"], "--until and --for both"),
        (["--model", "hats"], "'hats' was never promoted"),
    ],
)
def test_mistakes_pause_nothing(run: Run, project: Project, digest: str, arguments: list[str], message: str) -> None:
    done = run("pause", *arguments)
    assert done.code == 2
    assert message in done.err
    assert run("status", "--json").json()["models"][0]["held"]["starts"] is None


def test_durations_and_moments() -> None:
    found = [parse_duration(text) for text in ("90s", "1.5h", "1w", "1D12h")]
    assert found == [90.0, 5400.0, 604_800.0, 129_600.0]
    assert parse_moment("1970-01-01T01:00+01:00") == 0.0
    for text in ("", "2", "h", "2h!", "-2h", "2 h"):
        with pytest.raises(InputError):
            parse_duration(text)


def test_approve_lets_the_worker_go_on(run: Run, project: Project, digest: str, seal: Seal) -> None:
    job = awaiting_job(project, seal(2.0))
    text = run("status").out
    assert "awaiting approval until 20" in text
    assert f"evertune approve {job.id}" in text
    done = run("approve", str(job.id), "--reason", "looks right")
    assert done.code == 0
    assert f"Job {job.id} is approved" in done.out
    shown = run("status", "--json").json()["models"][0]["jobs"][0]
    assert (shown["status"], shown["detail"]["approval"]["reason"]) == ("pending", "looks right")
    again = run("approve", str(job.id))
    assert (again.code, again.out) == (10, "")
    assert "is pending: it awaits nothing" in again.err


def test_reject_ends_it_and_the_champion_stays(run: Run, project: Project, digest: str, seal: Seal) -> None:
    job = awaiting_job(project, seal(2.0))
    assert run("reject", str(job.id), "--reason", "not now", "--json").json()["status"] == "rejected"
    model = run("status", "--json").json()["models"][0]
    assert model["champion"]["digest"] == digest
    assert model["jobs"][0]["detail"]["reason"].endswith(": not now")


def test_an_approval_is_refused_once_the_champion_is_another(
    run: Run, project: Project, digest: str, seal: Seal
) -> None:
    job = awaiting_job(project, seal(2.0))
    run("promote", seal(3.0))
    done = run("approve", str(job.id))
    assert (done.code, done.out) == (10, "")
    assert "the champion changed after the gate" in done.err


def test_schedules_show_their_next_time(run: Run, project: Project) -> None:
    path = project.root / "evertune.toml"
    path.write_text('[[retune.schedules]]\nname = "weekly"\ncron = "0 3 * * sun"\n')
    (shown,) = run("status", "--json").json()["schedules"]
    assert time.time() < shown["next_at"] < time.time() + 8 * 86_400
    assert "schedule weekly: 0 3 * * sun (UTC), next at 20" in run("status").out
