from __future__ import annotations

import pytest

from evertune.errors import InputError, JobError
from evertune.ledger import Ledger


def test_a_request_told_twice_is_one(ledger: Ledger) -> None:
    request, new = ledger.requests.add("shoes", "drift", "a:17", {"log10_evidence": 4.5})
    again, new_again = ledger.requests.add("shoes", "drift", "a:17", {"log10_evidence": 9.9})
    assert (new, new_again) == (True, False)
    assert again == request
    assert (request.status, request.requested_at, request.evidence) == ("open", 1000.0, {"log10_evidence": 4.5})
    other, new = ledger.requests.add("boots", "drift", "a:17", {})
    assert new
    assert [found.id for found in ledger.requests.open()] == [request.id, other.id]


def test_a_decision_closes_a_request_for_good(ledger: Ledger) -> None:
    request, _ = ledger.requests.add("shoes", "manual", "by hand", {})
    closed = ledger.requests.decide(request.id, "suppressed", "cooldown until noon")
    assert (closed.status, closed.reason, closed.job_id) == ("suppressed", "cooldown until noon", None)
    assert ledger.requests.open() == []
    assert ledger.requests.decide(request.id, "suppressed", "cooldown").reason == "cooldown"
    with pytest.raises(JobError, match="suppressed already, not accepted"):
        ledger.requests.decide(request.id, "accepted", "after all", 1)
    assert ledger.requests.get(request.id).status == "suppressed"


def test_requests_are_listed_newest_first(ledger: Ledger) -> None:
    ids = [ledger.requests.add("shoes", "schedule", f"day {day}", {})[0].id for day in range(3)]
    ledger.requests.add("boots", "schedule", "day 0", {})
    assert [request.id for request in ledger.requests.list("shoes", 2)] == [ids[2], ids[1]]
    assert len(ledger.requests.list()) == 4


def test_unknown_triggers_empty_fingerprints_and_unknown_numbers_are_refused(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="'boredom' is unknown"):
        ledger.requests.add("shoes", "boredom", "x", {})  # type: ignore[arg-type]
    for fingerprint in ("", "x" * 257):
        with pytest.raises(InputError, match="fingerprint"):
            ledger.requests.add("shoes", "manual", fingerprint, {})
    with pytest.raises(JobError, match="no re-tune request 7"):
        ledger.requests.decide(7, "accepted", "")


def test_what_a_request_waits_for_is_noted_while_it_is_open(ledger: Ledger) -> None:
    request, _ = ledger.requests.add("shoes", "http", "http:1", {})
    ledger.requests.hold(request.id, "pause")
    assert [(each.status, each.reason) for each in ledger.requests.open()] == [("open", "pause")]
    ledger.requests.decide(request.id, "suppressed", "cooldown")
    ledger.requests.hold(request.id, "pause")
    assert ledger.requests.get(request.id).reason == "cooldown"
