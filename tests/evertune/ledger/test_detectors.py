from __future__ import annotations

from dataclasses import replace

import pytest

from evertune.errors import InputError, JobError
from evertune.ids import new_request_id
from evertune.ledger import DetectorRecord, Ledger, LossSum, RowLoss

_NEW = DetectorRecord("shoes", "a" * 64, {"log_evidence": 0.1})


def row_loss(sequence: int, loss: float = 1.0, predicted_at: float = 10.0, digest: str = "a" * 64) -> RowLoss:
    return RowLoss("shoes", digest, new_request_id(), 0, predicted_at, sequence, loss, 0.75)


def test_state_cursor_and_losses_are_saved_together(ledger: Ledger) -> None:
    assert ledger.detectors.load("shoes", "a" * 64) is None
    losses = [row_loss(1), row_loss(5, 0.5)]
    saved = ledger.detectors.save(replace(_NEW, last_sequence=5), losses)
    assert saved == ledger.detectors.load("shoes", "a" * 64) == replace(_NEW, last_sequence=5, version=1)
    assert ledger.losses.since("shoes", "a" * 64) == losses
    assert ledger.losses.since("shoes", "a" * 64, 1) == losses[1:]
    assert ledger.losses.since("shoes", "a" * 64, limit=1) == losses[:1]


def test_a_second_evaluator_is_refused_and_stores_nothing(ledger: Ledger) -> None:
    first = ledger.detectors.save(_NEW, [row_loss(1)])
    with pytest.raises(JobError, match="another evaluator"):
        ledger.detectors.save(_NEW, [row_loss(2)])
    second = ledger.detectors.save(replace(first, last_sequence=3), [row_loss(3)])
    with pytest.raises(JobError, match="another evaluator"):
        ledger.detectors.save(replace(first, last_sequence=4), [row_loss(4)])
    assert ledger.detectors.load("shoes", "a" * 64) == second
    assert [loss.sequence for loss in ledger.losses.since("shoes", "a" * 64)] == [1, 3]


def test_several_records_are_saved_together_or_not_at_all(ledger: Ledger) -> None:
    other = replace(_NEW, digest="b" * 64)
    first, second = ledger.detectors.save_many([_NEW, other], [row_loss(1)])
    assert (first.version, second.version) == (1, 1)
    with pytest.raises(JobError, match="another evaluator"):
        ledger.detectors.save_many([replace(first, last_sequence=2), replace(second, version=7)], [row_loss(2)])
    assert ledger.detectors.load("shoes", "a" * 64) == first
    assert [loss.sequence for loss in ledger.losses.since("shoes", "a" * 64)] == [1]


def test_a_label_is_eaten_once(ledger: Ledger) -> None:
    saved = ledger.detectors.save(_NEW, [row_loss(1)])
    with pytest.raises(JobError, match="go on from its cursor"):
        ledger.detectors.save(replace(saved, last_sequence=1), [row_loss(1)])
    assert ledger.detectors.load("shoes", "a" * 64) == saved


def test_a_state_that_is_not_json_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="cannot keep"):
        ledger.detectors.save(replace(_NEW, state={"log_evidence": float("-inf")}))
    assert ledger.detectors.load("shoes", "a" * 64) is None


def test_detectors_are_listed_with_the_last_eater_first(ledger: Ledger) -> None:
    ledger.detectors.save(replace(_NEW, last_sequence=5))
    ledger.detectors.save(replace(_NEW, digest="b" * 64, last_sequence=9))
    assert [record.digest[0] for record in ledger.detectors.list("shoes")] == ["b", "a"]
    assert ledger.detectors.list("boots") == []


def test_loss_windows_are_half_open_and_split_by_bundle(ledger: Ledger) -> None:
    losses = [row_loss(1, 1.0, 10.0), row_loss(2, 0.5, 20.0), row_loss(3, 1.0, 20.0, "b" * 64)]
    ledger.detectors.save(_NEW, losses)
    assert ledger.losses.window("shoes", None, 10, 20) == LossSum(1, 1.0, 1.0)
    assert ledger.losses.window("shoes", None, 10, 21) == LossSum(3, 2.5, 2.25)
    assert ledger.losses.window("shoes", "a" * 64, 0, 100) == LossSum(2, 1.5, 1.25)
    assert ledger.losses.window("boots", None, 0, 100) == LossSum(0, 0.0, 0.0)
