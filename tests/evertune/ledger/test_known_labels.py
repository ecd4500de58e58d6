from __future__ import annotations

from collections.abc import Callable

import pytest

from evertune.errors import InputError
from evertune.ids import new_request_id
from evertune.ledger import BEGINNING, Label, Ledger, Prediction, PredictionHead

Predict = Callable[..., Prediction]


def test_pages_follow_the_time_of_prediction_and_miss_nothing(ledger: Ledger, predict: Predict) -> None:
    times = [5.0, 1.0, 3.0, 3.0, 3.0, 2.0]
    requests = [predict(2, predicted_at=at) for at in times]
    ledger.labels.add_many([Label(f"{each.request_id}:{row}", row) for each in requests for row in range(2)])
    found, cursor = [], BEGINNING
    while page := ledger.labels.page("shoes", cursor, 5):
        found += page
        cursor = page[-1].cursor
    assert [row.predicted_at for row in found] == [1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 5, 5]
    assert len({row.row_id for row in found}) == 12
    assert ledger.labels.page("other") == []


def test_a_page_has_the_newest_label_and_the_first_ones_place(
    ledger: Ledger, predict: Predict, clock: Callable[[], float]
) -> None:
    request = predict(3)
    row = f"{request.request_id}:1"
    ledger.labels.add_many([Label(row, 0), Label(row, 2, "k2")])
    (known,) = ledger.labels.page("shoes")
    assert (known.row_id, known.label, known.revision, known.digest) == (row, 2, 2, "a" * 64)
    assert known.labelled_at == clock()
    assert known.outputs["probabilities"].tolist() == request.outputs["probabilities"][1:2].tolist()
    assert known.confidence == pytest.approx(float(request.confidence[1]))


def test_every_revision_is_kept(ledger: Ledger, predict: Predict) -> None:
    row = f"{predict().request_id}:0"
    for label in (1, 1, 2, 1):
        ledger.labels.add_many([Label(row, label, f"key{label}")])
    assert [(each.label, each.key_id) for each in ledger.labels.revisions(row)] == [
        *((1, "key1"), (2, "key2"), (1, "key1"))
    ]
    assert ledger.labels.latest([row, f"{new_request_id()}:0"]) == {row: 1}
    assert ledger.labels.revisions(f"{new_request_id()}:0") == []
    with pytest.raises(InputError, match="malformed"):
        ledger.labels.revisions("nonsense")


def test_heads_tell_bundle_and_rows_without_the_rest(ledger: Ledger, predict: Predict) -> None:
    request = predict(3, digest="b" * 64)
    assert ledger.predictions.heads([request.request_id, new_request_id()]) == {
        request.request_id: PredictionHead("shoes", "b" * 64, 3)
    }
