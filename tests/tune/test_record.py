from __future__ import annotations

import json
import math

from tune.record import TrialRecord


def test_a_record_survives_the_journal() -> None:
    record = TrialRecord("3", {"units": 16, "rate": 1e-3}, "completed", score=0.9, candidates=[{"recipe": "fp32"}])
    assert TrialRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_what_a_later_version_adds_is_ignored() -> None:
    content = {**TrialRecord("0", {}, "pruned").to_json(), "colour": "blue"}
    assert TrialRecord.from_json(content) == TrialRecord("0", {}, "pruned")


def test_numbers_that_json_does_not_know_are_left_out() -> None:
    record = TrialRecord(
        "0",
        {},
        "failed",
        rung_metric=math.nan,
        latency_seconds=math.inf,
        candidates=[{"accuracy": math.nan, "size_bytes": 1}],
        metrics={"loss": math.nan, "accuracy": 0.5},
    )
    content = record.to_json()
    json.dumps(content, allow_nan=False)
    found = TrialRecord.from_json(content)
    assert (found.rung_metric, found.latency_seconds, found.metrics) == (None, None, {"accuracy": 0.5})
    assert found.candidates == [{"size_bytes": 1}]
