from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from evertune.errors import InputError, JobError
from evertune.ids import new_request_id
from evertune.ledger import Ledger

Clock = Any  # the ManualClock of conftest.py

_RACE = """
import sys
from evertune.errors import JobError
from evertune.ledger import Ledger
ledger = Ledger.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
won = 0
for i in range(15):
    try:
        won += bool(ledger.jobs.create(f"model-{i}")) if sys.argv[2] == "create" else bool(ledger.jobs.claim("x", 600))
    except JobError:
        pass
print(won)
"""


def race(url: str, what: str) -> list[int]:
    """How often each of two processes won."""
    command = [sys.executable, "-c", _RACE, url, what]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return [int(child.communicate(timeout=60)[0]) for child in children]


def test_two_processes_create_one_active_job_a_model_and_claim_each_once(url: str, ledger: Ledger) -> None:
    assert sum(race(url, "create")) == 15
    assert len(ledger.jobs.list()) == 15
    assert sum(race(url, "claim")) == 15
    assert {(job.status, job.attempt) for job in ledger.jobs.list()} == {("running", 1)}


def test_a_model_has_one_active_job_until_it_ends(ledger: Ledger) -> None:
    job = ledger.jobs.create("shoes")
    with pytest.raises(JobError, match="shoes has an active"):
        ledger.jobs.create("shoes")
    assert ledger.jobs.create("boots").status == "pending"
    claimed = ledger.jobs.claim("w1", 60)
    assert claimed is not None
    assert claimed.id == job.id
    with pytest.raises(JobError, match="active"):
        ledger.jobs.create("shoes")
    ledger.jobs.finish(job.id, "w1", "rejected", {"p_value": 0.4})
    assert ledger.jobs.create("shoes").id > job.id


def test_creating_a_job_accepts_its_request_in_the_same_transaction(ledger: Ledger) -> None:
    request, _ = ledger.requests.add("shoes", "drift", "a:1", {})
    job = ledger.jobs.create("shoes", request.id)
    accepted = ledger.requests.get(request.id)
    assert (accepted.status, accepted.job_id) == ("accepted", job.id)
    other, _ = ledger.requests.add("shoes", "drift", "a:2", {})
    with pytest.raises(JobError, match="active"):
        ledger.jobs.create("shoes", other.id)
    assert ledger.requests.get(other.id).status == "open"


def test_an_expired_lease_lets_another_worker_go_on_where_the_first_stopped(ledger: Ledger, clock: Clock) -> None:
    job = ledger.jobs.create("shoes")
    assert ledger.jobs.claim("w1", 60) is not None
    ledger.jobs.update(job.id, "w1", phase="search", detail={"trials": 2, "seed": 0})
    ledger.jobs.update(job.id, "w1", detail={"trials": 3})
    clock.now += 59
    assert ledger.jobs.claim("w2", 60) is None
    assert ledger.jobs.renew(job.id, "w1", 60)
    clock.now += 59
    assert ledger.jobs.claim("w2", 60) is None
    clock.now += 2
    taken = ledger.jobs.claim("w2", 60)
    assert taken is not None
    assert (taken.id, taken.attempt, taken.phase, taken.detail) == (job.id, 2, "search", {"trials": 3, "seed": 0})
    assert not ledger.jobs.renew(job.id, "w1", 60)
    for step in (ledger.jobs.update, lambda id_, owner: ledger.jobs.finish(id_, owner, "failed")):
        with pytest.raises(JobError, match="held by w2, not by w1"):
            step(job.id, "w1")
    assert ledger.jobs.finish(job.id, "w2", "promoted", {"digest": "b"}).detail["digest"] == "b"
    assert not ledger.jobs.renew(job.id, "w2", 60)


def test_a_slow_worker_keeps_a_job_that_nobody_else_wants(ledger: Ledger, clock: Clock) -> None:
    job = ledger.jobs.create("shoes")
    ledger.jobs.claim("w1", 1)
    clock.now += 100
    assert ledger.jobs.update(job.id, "w1", phase="gate").phase == "gate"
    assert ledger.jobs.renew(job.id, "w1", 60)


def test_the_oldest_job_is_claimed_first_and_ended_ones_never(ledger: Ledger) -> None:
    first, second = ledger.jobs.create("shoes"), ledger.jobs.create("boots")
    claimed = [ledger.jobs.claim("w1", 60), ledger.jobs.claim("w1", 60), ledger.jobs.claim("w1", 60)]
    assert [job.id if job else None for job in claimed] == [first.id, second.id, None]
    ledger.jobs.finish(first.id, "w1", "insufficient")
    assert ledger.jobs.claim("w1", 60) is None
    assert [job.id for job in ledger.jobs.list()] == [second.id, first.id]
    assert [job.id for job in ledger.jobs.list("shoes", 5)] == [first.id]


def test_only_what_was_promoted_is_marked_as_rolled_back(ledger: Ledger) -> None:
    job = ledger.jobs.create("shoes")
    with pytest.raises(JobError, match="pending, not promoted"):
        ledger.jobs.mark_rolled_back(job.id)
    ledger.jobs.claim("w1", 60)
    ledger.jobs.finish(job.id, "w1", "promoted")
    assert ledger.jobs.mark_rolled_back(job.id, {"why": "worse"}).status == "rolled_back"
    assert ledger.jobs.get(job.id).detail == {"why": "worse"}


def test_unknown_jobs_and_outcomes_are_named(ledger: Ledger) -> None:
    with pytest.raises(JobError, match="no re-tune job 9"):
        ledger.jobs.get(9)
    job = ledger.jobs.create("shoes")
    with pytest.raises(InputError, match="'won' is no outcome"):
        ledger.jobs.finish(job.id, "w1", "won")  # type: ignore[arg-type]


def ids(count: int) -> list[str]:
    return [f"{new_request_id()}:{row}" for row in range(count)]


def test_row_sets_come_back_in_order_and_storing_them_again_changes_nothing(ledger: Ledger) -> None:
    job, rows = ledger.jobs.create("shoes"), ids(1200)[::-1]
    for _ in range(2):
        ledger.jobs.set_rows(job.id, "train", rows)
    assert ledger.jobs.rows(job.id, "train") == rows
    assert ledger.jobs.rows(job.id, "gate") == []
    with pytest.raises(JobError, match="another train set"):
        ledger.jobs.set_rows(job.id, "train", rows[:-1])
    assert ledger.jobs.rows(job.id, "train") == rows


def test_an_empty_set_is_a_set(ledger: Ledger) -> None:
    job = ledger.jobs.create("shoes")
    ledger.jobs.set_rows(job.id, "report", [])
    with pytest.raises(JobError, match="another report set"):
        ledger.jobs.set_rows(job.id, "report", ids(1))


def test_the_sets_of_a_job_are_disjoint(ledger: Ledger) -> None:
    job, rows = ledger.jobs.create("shoes"), ids(10)
    ledger.jobs.set_rows(job.id, "train", rows[:5])
    with pytest.raises(JobError, match="was trained on"):
        ledger.jobs.set_rows(job.id, "gate", rows[4:])
    ledger.jobs.set_rows(job.id, "gate", rows[5:])
    with pytest.raises(JobError, match="another set"):
        ledger.jobs.set_rows(job.id, "report", [*ids(3), rows[7]])
    assert ledger.jobs.rows(job.id, "report") == []


def test_a_gate_row_serves_once_whoever_asks(ledger: Ledger, clock: Clock) -> None:
    first, rows = ledger.jobs.create("shoes"), ids(6)
    ledger.jobs.set_rows(first.id, "gate", rows[:3])
    ledger.jobs.claim("w1", 60)
    ledger.jobs.finish(first.id, "w1", "rejected")
    clock.now = 2000.0
    second = ledger.jobs.create("shoes")
    with pytest.raises(JobError, match="served for a gate before"):
        ledger.jobs.set_rows(second.id, "gate", [*rows[3:], rows[0]])
    assert ledger.jobs.rows(second.id, "gate") == []
    ledger.jobs.set_rows(second.id, "train", rows[:3])  # to learn from them is fine
    ledger.jobs.set_rows(second.id, "gate", rows[3:])
    assert ledger.jobs.gate_rows_used("shoes") == set(rows)
    assert ledger.jobs.gate_rows_used("boots") == set()
    assert [ledger.jobs.gates_since_champion("shoes", since) for since in (0, 1000.0, 1500.0, 2001.0)] == [2, 2, 1, 0]


def test_what_an_earlier_job_trained_on_is_no_gate_row(ledger: Ledger) -> None:
    first, rows = ledger.jobs.create("shoes"), ids(6)
    ledger.jobs.set_rows(first.id, "train", rows)
    ledger.jobs.claim("w1", 60)
    ledger.jobs.finish(first.id, "w1", "insufficient")
    second = ledger.jobs.create("shoes")
    with pytest.raises(JobError, match=f"{rows[0]} was trained on"):
        ledger.jobs.set_rows(second.id, "gate", rows[:1])


def test_bad_row_sets_are_refused(ledger: Ledger) -> None:
    job, rows = ledger.jobs.create("shoes"), ids(2)
    with pytest.raises(InputError, match="names a row twice"):
        ledger.jobs.set_rows(job.id, "train", [*rows, rows[0]])
    with pytest.raises(InputError, match="'spare' is unknown"):
        ledger.jobs.set_rows(job.id, "spare", rows)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="malformed"):
        ledger.jobs.set_rows(job.id, "train", ["x:1"])
    with pytest.raises(JobError, match="no re-tune job"):
        ledger.jobs.set_rows(job.id + 1, "train", rows)


def test_a_job_that_is_set_aside_is_nobodys_until_it_is_settled(ledger: Ledger, clock: Clock) -> None:
    job = ledger.jobs.create("shoes")
    ledger.jobs.claim("w1", 60)
    ledger.jobs.update(job.id, "w1", phase="promote", detail={"gate": 1})
    parked = ledger.jobs.park(job.id, "w1", {"awaiting": "approval"})
    assert (parked.status, parked.phase, parked.lease_owner) == ("awaiting", "promote", "")
    assert parked.detail == {"gate": 1, "awaiting": "approval"}
    clock.now += 1e6
    assert ledger.jobs.claim("w2", 60) is None  # there is no lease that could run out
    assert not ledger.jobs.renew(job.id, "w1", 60)
    with pytest.raises(JobError, match="not by w1"):
        ledger.jobs.finish(job.id, "w1", "promoted")
    with pytest.raises(JobError, match="has an active"):
        ledger.jobs.create("shoes")  # it still is the one active job of the model
    assert [each.id for each in ledger.jobs.awaiting()] == [job.id]

    assert ledger.jobs.settle(job.id, "pending", {"approval": "ann"}).phase == "promote"
    with pytest.raises(JobError, match="is pending: it awaits nothing"):
        ledger.jobs.settle(job.id, "rejected", {})
    taken = ledger.jobs.claim("w2", 60)
    assert taken is not None
    assert (taken.phase, taken.detail["approval"]) == ("promote", "ann")
    with pytest.raises(JobError, match="held by w2, not by w1"):
        ledger.jobs.park(job.id, "w1", {})
    ledger.jobs.park(job.id, "w2", {})
    assert ledger.jobs.settle(job.id, "expired", {}).status == "expired"
    assert ledger.jobs.create("shoes").id > job.id
    with pytest.raises(JobError, match="no re-tune job 99"):
        ledger.jobs.settle(99, "rejected", {})


def test_a_job_that_may_not_begin_waits_but_one_that_has_begun_goes_on(ledger: Ledger, clock: Clock) -> None:
    first, second, third = (ledger.jobs.create(model) for model in ("shoes", "boots", "hats"))
    ledger.jobs.claim("w1", 60)
    ledger.jobs.update(first.id, "w1", phase="search")
    clock.now += 61  # w1 was killed
    held = ["shoes", "boots"]
    claimed = [ledger.jobs.claim("w2", 600, not_to_start=held) for _ in range(3)]
    assert [job.id if job else None for job in claimed] == [first.id, third.id, None]
    ended = ledger.jobs.claim("w2", 600)
    assert ended is not None
    assert ended.id == second.id
