from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from evertune.errors import DataError, InputError, UnknownRowError
from evertune.ids import new_request_id
from evertune.ledger import Label, LabelReceipt, Ledger, Prediction

Predict = Callable[..., Prediction]

_LABELLER = """
import sys
from evertune.ledger import Label, Ledger
ledger = Ledger.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for line in open(sys.argv[2]):
    ledger.labels.add_many([Label(row, 1) for row in line.split()])
    print(line.strip(), flush=True)
"""


def test_labels_arrive_in_order_joined_with_their_predictions(ledger: Ledger, predict: Predict) -> None:
    first, second = predict(3, predicted_at=7.0), predict(1, digest="b" * 64)
    receipt = ledger.labels.add_many([Label(f"{second.request_id}:0", 2, "k1"), Label(f"{first.request_id}:1", 0)])
    assert receipt == LabelReceipt(accepted=2, unchanged=0, corrected=0)
    rows = ledger.labels.after("shoes", 0, 10)
    assert [(row.row_id, row.digest, row.label) for row in rows] == [
        (f"{second.request_id}:0", "b" * 64, 2),
        (f"{first.request_id}:1", "a" * 64, 0),
    ]
    assert rows[0].sequence < rows[1].sequence
    assert (rows[1].predicted_at, rows[1].arrived_at) == (7.0, 1000.0)
    np.testing.assert_array_equal(rows[1].outputs["probabilities"], first.outputs["probabilities"][1:2])
    assert rows[1].confidence == pytest.approx(float(first.confidence[1]))


def test_the_cursor_goes_on_where_it_stopped(ledger: Ledger, predict: Predict) -> None:
    request = predict(10)
    ledger.labels.add_many([Label(f"{request.request_id}:{row}", 0) for row in range(10)])
    seen: list[str] = []
    cursor = 0
    while rows := ledger.labels.after("shoes", cursor, 3):
        seen += [row.row_id for row in rows]
        cursor = rows[-1].sequence
    assert seen == [f"{request.request_id}:{row}" for row in range(10)]
    assert ledger.labels.after("other", 0, 10) == []


def test_duplicates_change_nothing_and_corrections_append_a_revision(ledger: Ledger, predict: Predict) -> None:
    row = f"{predict().request_id}:0"
    assert ledger.labels.add_many([Label(row, 1), Label(row, 1)]) == LabelReceipt(1, 1, 0)
    assert ledger.labels.add_many([Label(row, 1)]) == LabelReceipt(0, 1, 0)
    assert ledger.labels.add_many([Label(row, 2), Label(row, 0)]) == LabelReceipt(0, 0, 2)
    assert [(found.row_id, found.label) for found in ledger.labels.after("shoes", 0, 10)] == [(row, 1)]
    assert ledger.labels.labelled_rows("shoes").labels.tolist() == [0]
    with ledger.engine.connect() as connection:
        history = connection.execute(text("SELECT revision, label FROM labels ORDER BY sequence")).all()
    assert [tuple(entry) for entry in history] == [(1, 1), (2, 2), (3, 0)]


def test_one_unknown_row_refuses_the_whole_batch_and_is_named(ledger: Ledger, predict: Predict) -> None:
    request, stranger = predict(2), new_request_id()
    batch = [Label(f"{request.request_id}:0", 1), Label(f"{stranger}:0", 1), Label(f"{request.request_id}:2", 1)]
    with pytest.raises(UnknownRowError, match=rf"2 of 3 .*{stranger}:0, {request.request_id}:2") as raised:
        ledger.labels.add_many(batch)
    assert raised.value.details["count"] == 2
    assert ledger.labels.after("shoes", 0, 10) == []


def test_a_refused_group_does_not_hinder_the_others(ledger: Ledger, predict: Predict) -> None:
    request = predict(2)
    groups = [[Label(f"{request.request_id}:0", 1)], [Label(f"{new_request_id()}:0", 1)], [Label("nonsense", 1)], []]
    good, unknown, malformed, empty = ledger.labels.add_groups(groups)
    assert (good, empty) == (LabelReceipt(1, 0, 0), LabelReceipt(0, 0, 0))
    assert isinstance(unknown, UnknownRowError)
    assert isinstance(malformed, InputError)


@pytest.mark.parametrize("label", [float("nan"), float("inf"), True, "1", None])
def test_what_is_no_finite_number_is_refused(ledger: Ledger, predict: Predict, label: float) -> None:
    with pytest.raises(InputError, match="no finite number"):
        ledger.labels.add_many([Label(f"{predict().request_id}:0", label)])


_model_names = (f"model-{i}" for i in itertools.count())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=6), max_size=6))
def test_any_history_of_batches_ends_with_the_last_word_on_each_row(
    ledger: Ledger, make: Predict, batches: list[list[tuple[int, int]]]
) -> None:
    model = next(_model_names)
    request = make(4, model=model)
    ledger.predictions.add_many([request])
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for batch in batches:
        receipt = ledger.labels.add_many([Label(f"{request.request_id}:{row}", label) for row, label in batch])
        assert receipt.accepted == len({row for row, _ in batch} - set(first))
        assert receipt.accepted + receipt.unchanged + receipt.corrected == len(batch)
        for row, label in batch:
            first.setdefault(row, label)
            last[row] = label
    arrived = ledger.labels.after(model, 0, 100)
    assert [(row.row_id, row.label) for row in arrived] == [
        (f"{request.request_id}:{row}", label) for row, label in first.items()
    ]
    rows = ledger.labels.labelled_rows(model)
    assert dict(zip(rows.ids, rows.labels.tolist(), strict=True)) == {
        f"{request.request_id}:{row}": label for row, label in last.items()
    }


def test_a_kill_loses_no_acknowledged_label(url: str, ledger: Ledger, make: Predict, tmp_path: Path) -> None:
    requests = [make(2) for _ in range(3000)]
    ledger.predictions.add_many(requests)
    plan = tmp_path / "plan"
    with open(plan, "w") as file:
        file.writelines(f"{request.request_id}:0 {request.request_id}:1\n" for request in requests)
    acknowledged: list[str] = []
    for _ in range(2):  # the second finds a database whose last writer died
        child = subprocess.Popen(
            [sys.executable, "-c", _LABELLER, url, plan], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.stdin.write("go\n")
        child.stdin.flush()
        lines = [child.stdout.readline() for _ in range(40)]
        child.send_signal(signal.SIGKILL)
        rest, _ = child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL
        lines += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        acknowledged += [row for line in lines for row in line.split()]
    stored = [row.row_id for row in ledger.labels.after("shoes", 0, 10_000)]
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored)) < 6000
    assert len(stored) % 2 == 0  # both rows of a batch, or none


def test_a_reader_beside_three_writing_processes_misses_nothing(
    url: str, ledger: Ledger, make: Predict, tmp_path: Path
) -> None:
    requests = [make(1) for _ in range(120)]
    ledger.predictions.add_many(requests)
    children = []
    for part in range(3):
        plan = tmp_path / f"plan{part}"
        with open(plan, "w") as file:
            file.writelines(f"{request.request_id}:0\n" for request in requests[part::3])
        children.append(
            subprocess.Popen(
                [sys.executable, "-c", _LABELLER, url, plan], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    seen: list[str] = []
    cursor = 0
    while True:
        running = any(child.poll() is None for child in children)  # before reading, so that the last look is complete
        rows = ledger.labels.after("shoes", cursor, 1000)
        seen += [row.row_id for row in rows]
        cursor = rows[-1].sequence if rows else cursor
        if not running and not rows:
            break
    for child in children:
        child.communicate()
    assert [child.returncode for child in children] == [0, 0, 0]
    assert sorted(seen) == sorted(f"{request.request_id}:0" for request in requests)


def test_labelled_rows_are_in_time_order_with_inverse_propensities(ledger: Ledger, predict: Predict) -> None:
    late = predict(2, predicted_at=30.0, payload_propensity=0.5, label_propensity=0.5)
    early = predict(1, predicted_at=10.0)
    without_inputs = predict(1, predicted_at=20.0, inputs=None)
    labels = [(late, 1), (early, 0), (without_inputs, 0), (late, 0)]
    ledger.labels.add_many([Label(f"{request.request_id}:{row}", row) for request, row in labels])
    rows = ledger.labels.labelled_rows("shoes")
    assert rows.times.tolist() == [10.0, 30.0, 30.0]
    assert rows.weights.tolist() == [1.0, 4.0, 4.0]
    assert rows.ids[0] == f"{early.request_id}:0"
    assert late.inputs is not None
    for row_id, image in zip(rows.ids[1:], rows.inputs["image"][1:], strict=True):
        np.testing.assert_array_equal(image, late.inputs["image"][int(row_id[-1])])
    assert rows.labels.dtype == np.float64  # numbers, whatever the kind; `evertune.kinds` says what they mean


def test_labelled_rows_between_snapshots_neither_overlap_nor_miss(ledger: Ledger, predict: Predict) -> None:
    requests = [predict(predicted_at=float(i), digest=("a", "b")[i % 2] * 64) for i in range(10)]
    ledger.labels.add_many([Label(f"{request.request_id}:0", 0) for request in requests])
    select = ledger.labels.labelled_rows
    before, after = select("shoes", predicted_before=4.0), select("shoes", predicted_after=4.0)
    assert before.times.tolist() == [0, 1, 2, 3, 4]
    assert after.times.tolist() == [5, 6, 7, 8, 9]
    assert select("shoes", newest=3, predicted_before=4.0).times.tolist() == [2, 3, 4]
    assert select("shoes", digest="b" * 64).times.tolist() == [1, 3, 5, 7, 9]
    assert len(select("other")) == 0


def test_labelled_rows_leave_out_what_jobs_have_used(ledger: Ledger, predict: Predict) -> None:
    requests = [predict(2, predicted_at=float(i)) for i in range(4)]
    ids = [f"{request.request_id}:{row}" for request in requests for row in range(2)]
    ledger.labels.add_many([Label(row, 0) for row in ids])
    job = ledger.jobs.create("shoes")
    ledger.jobs.set_rows(job.id, "train", ids[:3])
    ledger.jobs.set_rows(job.id, "gate", ids[3:5])
    select = ledger.labels.labelled_rows
    assert set(select("shoes", exclude_job_sets=("gate",)).ids) == set(ids) - set(ids[3:5])
    assert set(select("shoes", exclude_job_sets=("train", "gate")).ids) == set(ids[5:])


def test_live_rows_that_do_not_fit_together_are_named(ledger: Ledger, predict: Predict) -> None:
    wide = {"image": np.zeros((1, 3, 3), np.uint8)}
    requests = [predict(), predict(inputs=wide), predict(inputs={"text": np.zeros(1, np.uint8)})]
    ledger.labels.add_many([Label(f"{request.request_id}:0", 0) for request in requests[:2]])
    with pytest.raises(DataError, match="'image' have different dtypes or shapes"):
        ledger.labels.labelled_rows("shoes")
    ledger.labels.add_many([Label(f"{requests[2].request_id}:0", 0)])
    with pytest.raises(DataError, match="different inputs"):
        ledger.labels.labelled_rows("shoes")
