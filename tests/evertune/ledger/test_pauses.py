from __future__ import annotations

from typing import Any

import pytest

from evertune.errors import InputError
from evertune.ledger import Ledger

Clock = Any  # the ManualClock of conftest.py


def test_a_pause_holds_until_it_is_resumed(ledger: Ledger, clock: Clock) -> None:
    assert ledger.pauses.current("shoes") is None
    made = ledger.pauses.pause("shoes", reason="stocktaking", actor="ann")
    clock.now += 1e9
    assert ledger.pauses.current("shoes") == made
    assert ledger.pauses.current("boots") is None
    resumed = ledger.pauses.resume("shoes", reason="done", actor="bob")
    assert resumed is not None
    assert ledger.pauses.current("shoes") is None
    assert [(each.paused, each.actor, each.reason) for each in ledger.pauses.history("shoes")] == [
        (False, "bob", "done"),
        (True, "ann", "stocktaking"),
    ]


def test_a_pause_with_an_end_ends_by_itself(ledger: Ledger, clock: Clock) -> None:
    ledger.pauses.pause("shoes", until=clock.now + 60, reason="", actor="ann")
    clock.now += 59
    assert ledger.pauses.current("shoes") is not None
    clock.now += 1
    assert ledger.pauses.current("shoes") is None
    assert ledger.pauses.resume("shoes", reason="", actor="ann") is None  # nothing to end, nothing written
    assert len(ledger.pauses.history("shoes")) == 1


def test_a_later_pause_replaces_the_end(ledger: Ledger, clock: Clock) -> None:
    ledger.pauses.pause("shoes", reason="", actor="ann")
    ledger.pauses.pause("shoes", until=clock.now + 60, reason="", actor="ann")
    clock.now += 60
    assert ledger.pauses.current("shoes") is None


def test_an_end_in_the_past_is_refused(ledger: Ledger, clock: Clock) -> None:
    with pytest.raises(InputError, match="before it begins"):
        ledger.pauses.pause("shoes", until=clock.now, reason="", actor="ann")
    assert ledger.pauses.history("shoes") == []
