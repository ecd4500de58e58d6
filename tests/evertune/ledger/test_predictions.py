from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evertune.ledger import Label, Ledger, Prediction, WindowCount

Predict = Callable[..., Prediction]


def test_what_goes_in_comes_out(ledger: Ledger, predict: Predict) -> None:
    given = predict(3, payload_propensity=0.5, label_propensity=0.25, label_selection_known=False, key_id="k1")
    found = ledger.predictions.get([given.request_id, "unknown"], with_inputs=True)
    assert list(found) == [given.request_id]
    got = found[given.request_id]
    assert got.inputs is not None
    assert given.inputs is not None
    np.testing.assert_array_equal(got.inputs["image"], given.inputs["image"])
    np.testing.assert_array_equal(got.outputs["probabilities"], given.outputs["probabilities"])
    np.testing.assert_array_equal(got.confidence, given.confidence)
    scalars = {name: value for name, value in vars(given).items() if name not in ("inputs", "outputs", "confidence")}
    assert {name: getattr(got, name) for name in scalars} == scalars
    assert got.rows == 3


def test_inputs_come_only_when_asked_for_and_only_if_kept(ledger: Ledger, predict: Predict) -> None:
    kept, dropped = predict(), predict(inputs=None)
    ids = [kept.request_id, dropped.request_id]
    assert all(found.inputs is None for found in ledger.predictions.get(ids).values())
    with_inputs = ledger.predictions.get(ids, with_inputs=True)
    assert with_inputs[kept.request_id].inputs is not None
    assert with_inputs[dropped.request_id].inputs is None


def test_replayed_batches_change_nothing(ledger: Ledger, make: Predict) -> None:
    batch = [make(predicted_at=float(i)) for i in range(20)]
    assert ledger.predictions.add_many(batch) == 20
    assert ledger.predictions.add_many(batch) == 0
    assert ledger.predictions.add_many([*batch[10:], make(), batch[3]]) == 1
    assert ledger.predictions.window("shoes", None, 0, 1e9).rows == 21


def test_an_id_twice_in_a_batch_keeps_the_first(ledger: Ledger, make: Predict) -> None:
    first = make(key_id="first")
    second = make(key_id="second", request_id=first.request_id)
    assert ledger.predictions.add_many([first, second]) == 1
    assert ledger.predictions.get([first.request_id])[first.request_id].key_id == "first"


def test_an_empty_batch_is_fine(ledger: Ledger) -> None:
    assert ledger.predictions.add_many([]) == 0
    assert ledger.predictions.get([]) == {}


def test_known_takes_more_ids_than_a_statement_may_have_parameters(ledger: Ledger, make: Predict) -> None:
    batch = [make() for _ in range(1200)]
    ledger.predictions.add_many(batch)
    ids = {prediction.request_id for prediction in batch}
    assert ledger.predictions.known([*ids, "unknown"]) == ids
    assert ledger.predictions.get(ids).keys() == ids


def test_windows_are_half_open_and_split_by_bundle(ledger: Ledger, predict: Predict) -> None:
    old = predict(2, predicted_at=10.0)
    new = predict(3, predicted_at=20.0, digest="b" * 64)
    predict(5, predicted_at=15.0, model="other")
    window = ledger.predictions.window
    assert [window("shoes", None, *span).rows for span in ((10, 20), (10, 20.1), (10.1, 20), (0, 10))] == [2, 5, 0, 0]
    assert window("shoes", "b" * 64, 0, 100).rows == 3
    assert window("nobody", None, 0, 100) == WindowCount(0, 0.0, 0.0)
    confidence = np.concatenate([old.confidence, new.confidence]).astype(float)
    total = window("shoes", None, 0, 100)
    assert total.confidence_sum == pytest.approx(confidence.sum())
    assert total.confidence_variance_sum == pytest.approx((confidence * (1 - confidence)).sum())


def test_pruning_takes_a_prediction_with_its_labels(ledger: Ledger, predict: Predict) -> None:
    old, new = predict(predicted_at=10.0), predict(predicted_at=20.0)
    ledger.labels.add_many([Label(f"{old.request_id}:0", 1), Label(f"{new.request_id}:0", 1)])
    assert ledger.predictions.prune(20.0) == 1
    assert ledger.predictions.known([old.request_id, new.request_id]) == {new.request_id}
    assert [row.row_id for row in ledger.labels.after("shoes", 0, 10)] == [f"{new.request_id}:0"]
