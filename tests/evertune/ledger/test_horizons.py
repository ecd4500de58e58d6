"""Clicks of a row become its label, or their absence does, once and only when its horizon has passed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import func, select

from evertune.errors import InputError
from evertune.ids import row_id
from evertune.ledger import Clicks, Label, LabelReceipt, Ledger, Prediction
from evertune.ledger.schema import clicks, horizons, labels

Predict = Callable[..., Prediction]
NOTHING = -1.0


@pytest.fixture
def rows(predict: Predict, clock: Any) -> list[str]:
    """Three rows of one request, predicted at 1000, that wait until 1060."""
    prediction = predict(3, predicted_at=clock.now, label_horizon_seconds=60.0)
    return [row_id(prediction.request_id, index) for index in range(3)]


def known(ledger: Ledger) -> dict[str, float]:
    return {row.row_id: row.label for row in ledger.labels.after("shoes", 0, 1000)}


def count(ledger: Ledger, table: Any) -> int:
    with ledger.read() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def test_a_row_has_its_first_click_or_none_for_a_label_once_its_horizon_has_passed(
    ledger: Ledger, clock: Any, rows: list[str]
) -> None:
    one, two, three = rows
    clock.now = 1010
    assert ledger.labels.add_many([Label(one, 7, "shop"), Label(two, 4)]) == LabelReceipt(2, 0, 0)
    clock.now = 1020
    assert ledger.labels.add_many([Label(one, 2), Label(two, 5, at=1009.0)]) == LabelReceipt(2, 0, 0)
    clock.now = 1060  # a click may still come at this very moment
    assert ledger.horizons.settle("shoes") == 0
    assert known(ledger) == {}
    assert ledger.labels.count_labelled("shoes") == 0
    clock.now = 1060.5
    assert ledger.horizons.settle("hats") == 0
    assert ledger.horizons.settle("shoes") == 3
    assert ledger.horizons.settle("shoes") == 0
    assert known(ledger) == {one: 7, two: 5, three: NOTHING}
    assert sorted(ledger.labels.labelled_rows("shoes").labels.tolist()) == [NOTHING, 5, 7]
    assert [row.settled for row in ledger.labels.after("shoes", 0, 9)] == [True] * 3
    assert {(label.key_id, label.arrived_at) for row in rows for label in ledger.labels.revisions(row)} == {
        ("horizon", 1060.0)
    }


def test_a_click_that_is_sent_again_is_known(ledger: Ledger, clock: Any, rows: list[str]) -> None:
    batch = [Label(rows[0], 7), Label(rows[0], 7, at=1005.0), Label(rows[0], 3), Label(rows[1], 7)]
    assert ledger.labels.add_many(batch) == LabelReceipt(4, 0, 0)
    clock.now += 1
    assert ledger.labels.add_many([*batch, *batch]) == LabelReceipt(0, 8, 0)
    assert ledger.labels.add_many([Label(rows[0], NOTHING)]) == LabelReceipt(0, 1, 0)  # no event
    assert count(ledger, clicks) == 4


def test_clicks_in_any_order_with_or_without_repeats_are_one_label(
    ledger: Ledger, clock: Any, predict: Predict
) -> None:
    events = [(3, 1001.0), (5, 1002.0), (3, 1003.0), (8, 1002.0)]
    made = {}
    for order in permutations(events):
        prediction = predict(1, predicted_at=1000.0, label_horizon_seconds=60.0)
        row = made[row_id(prediction.request_id, 0)] = order
        for item, at in [*row, row[0]]:
            ledger.labels.add_many([Label(row_id(prediction.request_id, 0), item, at=at)])
    clock.now = 2000
    assert ledger.horizons.settle("shoes") == 24
    assert known(ledger) == dict.fromkeys(made, 3)


def test_late_clicks_are_kept_and_not_used(ledger: Ledger, clock: Any, rows: list[str]) -> None:
    one, two, three = rows
    assert ledger.labels.add_many([Label(one, 7, at=1061.0), Label(one, 6)]) == LabelReceipt(1, 0, 0, late=1)
    clock.now = 1061  # the horizon has passed, whether anybody has settled its rows or not
    assert ledger.labels.add_many([Label(two, 7, at=1030.0)]) == LabelReceipt(0, 0, 0, late=1)
    ledger.horizons.settle("shoes")
    assert ledger.labels.add_many([Label(three, 7), Label(two, 7, at=1030.0)]) == LabelReceipt(0, 1, 0, late=1)
    assert known(ledger) == {one: 6, two: NOTHING, three: NOTHING}
    assert [len(ledger.labels.revisions(row)) for row in rows] == [1, 1, 1]
    assert count(ledger, clicks) == 4


def test_a_final_label_wins_before_the_horizon_and_corrects_after_it(
    ledger: Ledger, clock: Any, rows: list[str]
) -> None:
    one, two, _ = rows
    assert ledger.labels.add_many([Label(one, 4), Label(one, 9, final=True)]) == LabelReceipt(2, 0, 0)
    clock.now = 1061
    assert ledger.horizons.settle("shoes") == 2
    assert ledger.labels.add_many([Label(two, 2, final=True)]) == LabelReceipt(0, 0, 1)
    assert [label.label for label in ledger.labels.revisions(one)] == [9]
    assert [label.label for label in ledger.labels.revisions(two)] == [NOTHING, 2]
    assert known(ledger)[two] == NOTHING  # the detector's view: each row once, with its first label
    assert ledger.labels.latest([two]) == {two: 2}


def test_rows_without_a_horizon_are_labelled_as_ever(ledger: Ledger, clock: Any, predict: Predict) -> None:
    row = row_id(predict(2, predicted_at=clock.now).request_id, 0)
    clock.now += 1e6
    assert ledger.horizons.settle("shoes") == 0  # silence says nothing of the other row
    assert ledger.labels.add_many([Label(row, NOTHING)]) == LabelReceipt(1, 0, 0)
    assert ledger.labels.add_many([Label(row, 3)]) == LabelReceipt(0, 0, 1)
    assert known(ledger) == {row: NOTHING}


def test_a_settlement_that_breaks_off_leaves_nothing_and_many_rows_take_several(
    ledger: Ledger, clock: Any, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evertune.ledger.horizons._ROWS", 4)
    made = [predict(3, predicted_at=clock.now + age, label_horizon_seconds=60.0) for age in range(4)]
    clock.now += 1000
    with monkeypatch.context() as broken:
        broken.setattr("evertune.ledger.horizons.update", lambda *_: 1 / 0)  # after the labels, before the mark
        with pytest.raises(ZeroDivisionError):
            ledger.horizons.settle("shoes")
    assert count(ledger, labels) == 0
    assert ledger.horizons.settle("shoes") == 12
    found = [row.row_id for row in ledger.labels.after("shoes", 0, 100)]
    assert found == [row_id(each.request_id, index) for each in made for index in range(3)]


def test_predictions_that_are_replayed_wait_once_and_pruning_takes_their_clicks(
    ledger: Ledger, make: Predict, clock: Any
) -> None:
    prediction = make(1, predicted_at=1000.0, label_horizon_seconds=60.0)
    assert [ledger.predictions.add_many([prediction]) for _ in range(2)] == [1, 0]
    ledger.labels.add_many([Label(row_id(prediction.request_id, 0), 3)])
    assert (count(ledger, horizons), count(ledger, clicks)) == (1, 1)
    ledger.predictions.prune(1001.0)
    assert (count(ledger, horizons), count(ledger, clicks)) == (0, 0)
    clock.now += 1000
    assert ledger.horizons.settle("shoes") == 0


def test_a_rehearsal_counts_as_the_ledger_would_and_stores_nothing(ledger: Ledger, clock: Any, rows: list[str]) -> None:
    batch = [Label(rows[0], 7), Label(rows[0], 7), Label(rows[1], 7, at=2e9), Label(rows[2], 7, final=True)]
    events = Clicks(clock.now)
    assert ledger.labels.rehearse_clicks(batch, events) == ["accepted", "unchanged", "late", None]
    assert ledger.labels.rehearse_clicks(batch[:1], events) == ["unchanged"]
    assert count(ledger, clicks) == 0


@pytest.mark.parametrize("at", [float("nan"), float("inf")])
def test_a_time_must_be_finite(ledger: Ledger, rows: list[str], at: float) -> None:
    with pytest.raises(InputError, match="not finite"):
        ledger.labels.add_many([Label(rows[0], 1, at=at)])
