"""What a forest may learn from trials of unequal length."""

from __future__ import annotations

import pytest

from tune.race import Race
from tune.record import State, TrialRecord
from tune.rungs import Rungs


def ended(trial_id: str, state: State, score: float | None = None) -> tuple[str, TrialRecord]:
    return trial_id, TrialRecord(trial_id, {}, state, score=score)


def raced(*metrics: float) -> Race:
    race = Race(Rungs(10), None)
    for trial, metric in enumerate(metrics):
        race.go_on(str(trial), 1, metric, (), exempt=False)
    return race


def test_ranks_go_from_the_best_to_the_worst() -> None:
    assert raced(0.5, 0.9, 0.1).ranks({}) == {"1": 0.0, "0": 0.5, "2": 1.0}


def test_nothing_is_known_where_nothing_was_compared() -> None:
    assert raced().ranks(dict([ended("0", "completed", 0.9)])) is None
    assert Race(None, None).ranks({}) is None
    one_epoch = Race(Rungs(1), None)
    assert one_epoch.go_on("0", 1, 0.5, (), exempt=False)
    assert one_epoch.ranks({}) is None


def test_what_did_not_work_is_the_worst() -> None:
    records = dict([ended("0", "failed"), ended("7", "rejected"), ended("8", "pruned"), ended("1", "pruned")])
    assert raced(0.5, 0.9, 0.1).ranks(records) == {"0": 1.0, "1": 0.0, "2": 1.0, "7": 1.0, "8": 1.0}


@pytest.mark.parametrize(("score", "rank"), [(0.95, 0.0), (0.8, 0.5), (0.3, 0.5)])
def test_what_completed_without_a_rung_is_as_good_as_what_it_beats(score: float, rank: float) -> None:
    records = dict([ended("0", "completed", 0.7), ended("1", "completed", 0.9), ended("fit", "completed", score)])
    ranks = raced(0.5, 0.9, 0.1).ranks(records)
    assert ranks is not None
    assert ranks["fit"] == rank


def test_a_budget_is_counted_in_epochs_once_each() -> None:
    race = Race(Rungs(10), 3)
    for epoch in (1, 1, 2):
        race.go_on("0", epoch, 0.5, (), exempt=False)
    assert not race.spent
    race.go_on("1", 1, 0.5, (), exempt=False)
    assert race.spent
