from __future__ import annotations

import json
from pathlib import Path

from tune.former_best import (
    FORMER_BEST,
    Former,
    former_best,
    former_ranks,
    read_former_best,
    write_former_best,
)
from tune.record import TrialRecord


def trial(number: int, score: float | None, **values: object) -> TrialRecord:
    return TrialRecord(str(number), values, "pruned" if score is None else "completed", score=score)


def twins_and_another() -> list[TrialRecord]:
    """The best five are neighbours; the sixth is as far from them as can be, and the rest are bad."""
    near = [trial(number, 0.9 - number / 1000, kind="a", x=0.5 + number / 1000) for number in range(5)]
    bad = [trial(6 + number, 0.1, kind="a", x=number / 40) for number in range(12)]
    return [*near, trial(5, 0.8, kind="b", n=3), *bad]


def test_the_best_is_first_and_twins_leave_room_for_others() -> None:
    found = former_best(twins_and_another(), 2)
    assert found == [{"kind": "a", "x": 0.5}, {"kind": "b", "n": 3}]


def test_they_are_in_the_order_of_their_ranks() -> None:
    records = twins_and_another()
    found = former_best(records)
    assert len(found) == 5
    assert [record.hyperparameters for record in records if record.hyperparameters in found] == found
    assert all(values.get("x", 0.5) >= 0.5 for values in found)  # of the best third only


def test_what_did_not_complete_is_left_out_and_nothing_is_there_twice() -> None:
    records = [trial(0, 0.5, x=1), trial(1, None, x=2), trial(2, 0.6, x=1), trial(3, 0.1, x=True)]
    assert former_best(records) == [{"x": 1}]
    assert former_best([]) == []


def test_they_travel_without_scores_and_older_and_newer_folders_are_read(tmp_path: Path) -> None:
    assert read_former_best(tmp_path) is None
    records = twins_and_another()
    write_former_best(tmp_path, records)
    assert read_former_best(tmp_path) == Former.of(records)
    content = json.loads((tmp_path / FORMER_BEST).read_text())
    assert set(content) == {"format_version", "configurations", "ranks"}
    assert set().union(*content["configurations"]) == {"kind", "x", "n"}
    older = {name: content[name] for name in ("format_version", "configurations")}
    (tmp_path / FORMER_BEST).write_text(json.dumps(older))
    assert read_former_best(tmp_path) == Former(tuple(former_best(records)))
    (tmp_path / FORMER_BEST).write_text(json.dumps({**content, "format_version": 2}))
    assert read_former_best(tmp_path) is None


def test_ranks_are_of_scores_then_of_what_a_rung_stopped_then_of_failures() -> None:
    records = [
        TrialRecord("0", {"x": 0}, "failed"),
        TrialRecord("1", {"x": 1}, "pruned", rung_metric=0.9, epochs=1),
        TrialRecord("2", {"x": 2}, "pruned", rung_metric=0.7, epochs=3),
        TrialRecord("3", {"x": 3}, "rejected"),
        trial(4, 0.5, x=4),
        trial(5, 0.6, x=5),
        TrialRecord("6", {"x": 6}, "pruned", rung_metric=0.8, epochs=3),
    ]
    assert [(values["x"], round(rank, 9)) for values, rank in former_ranks(records)] == [
        (5, 0.0),
        (4, 0.2),
        (6, 0.4),
        (2, 0.6),
        (1, 0.8),
        (0, 1.0),
    ]
    assert former_ranks(records[-2:-1]) == [({"x": 5}, 0.0)]
