"""Where a search stands, and how long it takes yet, from its journal alone."""

from __future__ import annotations

from typing import Any

import pytest

from tune.journal import read_entries
from tune.record import TrialRecord
from tune.standing import Standing
from tune.study import ranked

Searched = Any  # of conftest.py


class Clocked:
    """A journal as a search with one worker writes it, with times of our own."""

    def __init__(self, **session: Any) -> None:
        self.now = 1000.0
        self.entries: list[dict[str, Any]] = [{"event": "study", "at": 0.0, "plan": {"max_epochs": 4}}]
        self.add("session", **{"max_trials": 10, "workers": 1, **session})

    def add(self, event: str, seconds: float = 0.0, **content: Any) -> None:
        self.now += seconds
        self.entries.append({"event": event, "at": self.now, **content})

    def start(self, trial_id: str) -> None:
        self.add("started", trial_id=trial_id, hyperparameters={"units": 1}, origin="sampler")

    def trial(self, trial_id: str, state: str, epochs: int, *, epoch_seconds: float = 10.0) -> None:
        """One second of preparation, its epochs, one second of scoring."""
        self.start(trial_id)
        for epoch in range(1, epochs + 1):
            self.add("epoch", epoch_seconds + (epoch == 1), trial_id=trial_id, epoch=epoch, metric=0.5 + epoch / 100)
        score = 0.5 + int(trial_id) / 100 if state == "completed" else None
        record = TrialRecord(trial_id, {"units": 1}, state, score, epochs=epochs)  # type: ignore[arg-type]
        self.add("paused" if state == "paused" else "ended", 1.0, record={**record.to_json()})


def test_a_real_journal_gives_what_the_study_has(searched: Searched) -> None:
    entries = read_entries(searched.study.folder / "journal.jsonl")[0]
    standing = Standing(entries)
    assert sorted(standing.ended, key=lambda each: each.trial_id) == sorted(
        searched.study.trials, key=lambda each: each.trial_id
    )
    assert standing.best(9) == ranked(searched.study.trials)
    assert (standing.finished, standing.trials_left(), standing.running) == (True, 0, [])
    told = standing.to_json(None)
    assert (told["counted_trials"], told["max_trials"], told["max_epochs"], told["workers"]) == (6, 6, 2, 2)
    assert 0 < told["seconds"] < 600
    for record in searched.study.trials:
        assert standing.trials[record.trial_id].epoch == record.epochs
    cut = Standing(entries[: next(n for n, each in enumerate(entries) if each["event"] == "ended")])
    assert [each.trial_id for each in cut.running]
    assert cut.finished is False


def test_time_left_is_unknown_before_three_trials_can_be_judged() -> None:
    journal = Clocked()
    for trial_id in ("0", "1"):
        journal.trial(trial_id, "completed", 4)
    journal.trial("2", "rejected", 0)
    assert Standing(journal.entries).seconds_left(journal.now) is None
    journal.trial("3", "completed", 4)
    assert Standing(journal.entries).seconds_left(journal.now) is not None


def test_time_left_counts_what_rungs_stop_and_what_is_rejected() -> None:
    journal = Clocked()
    journal.trial("0", "completed", 4)  # 42 s
    journal.trial("1", "pruned", 1)  # 12 s
    journal.trial("2", "pruned", 1)
    journal.trial("3", "rejected", 0)  # 1 s, and free
    assert Standing(journal.entries).seconds_left(journal.now) == pytest.approx(7 * (42 + 12 + 12 + 1) / 3)
    two = Clocked(workers=2)
    two.entries[2:] = journal.entries[2:]
    assert Standing(two.entries).seconds_left(journal.now) == pytest.approx(7 * 67 / 3 / 2)


def test_a_trial_in_training_takes_what_those_took_that_came_as_far() -> None:
    journal = Clocked(max_trials=4)
    for trial_id in ("0", "1", "2"):
        journal.trial(trial_id, "completed", 4)
    journal.start("3")
    journal.add("epoch", 11, trial_id="3", epoch=1, metric=0.5)
    standing = Standing(journal.entries)
    assert standing.seconds_left(journal.now) == pytest.approx(31)  # three epochs, one second of scoring
    assert standing.seconds_left(journal.now + 20) == pytest.approx(11)
    assert standing.seconds_left(journal.now + 500) == 0  # late, but never negative
    assert standing.to_json(journal.now + 20)["in_work"][0]["seconds"] == pytest.approx(31)


def test_the_budgets_of_time_and_epochs_bound_the_time_left() -> None:
    for limit, expected in (({"max_seconds": 150}, 150 - 3 * 42), ({"max_total_epochs": 14}, 2 * 42 / 4)):
        journal = Clocked(**limit)
        for trial_id in ("0", "1", "2"):
            journal.trial(trial_id, "completed", 4)
        assert Standing(journal.entries).seconds_left(journal.now) == pytest.approx(expected)


def test_time_between_sessions_does_not_count() -> None:
    journal = Clocked()
    journal.trial("0", "completed", 4)
    journal.start("1")
    journal.add("epoch", 11, trial_id="1", epoch=1, metric=0.5)
    journal.add("session", 100_000, max_trials=10, workers=1)
    journal.add("epoch", 10, trial_id="1", epoch=2, metric=0.6)
    standing = Standing(journal.entries)
    assert standing.spent_seconds() == pytest.approx(42 + 11 + 10)
    assert standing.trials["1"].seconds == pytest.approx(21)
    assert standing.trials["1"].accuracies == [0.5, 0.6]


def test_a_paused_trial_goes_on_and_a_lost_one_is_tried_again() -> None:
    journal = Clocked()
    journal.trial("0", "paused", 1)
    journal.start("1")
    journal.add("lost", 5, trial_id="1")
    standing = Standing(journal.entries)
    assert (standing.counts["paused"], standing.lost, standing.ended) == (1, 1, [])
    assert [(each["trial_id"], each["attempt"]) for each in standing.to_json(journal.now)["in_work"]] == [("1", 2)]
    journal.add("resumed", 50, trial_id="0")
    journal.add("epoch", 10, trial_id="0", epoch=2, metric=0.9)
    standing = Standing(journal.entries)
    assert standing.trials["0"].state == "running"
    assert standing.trials["0"].seconds == pytest.approx(12 + 10)  # not the pause


def test_entries_of_another_kind_are_no_trials() -> None:
    journal = Clocked()
    journal.trial("0", "completed", 1)
    journal.add("later", 60, record=TrialRecord("0.1", {}, "completed", 0.9).to_json())
    journal.add("epoch", 60, trial_id="0.2", epoch=1, metric=0.5)
    standing = Standing(journal.entries)
    assert list(standing.trials) == ["0"]
    assert standing.spent_seconds() == pytest.approx(12 + 120)


def test_a_journal_of_an_earlier_version_is_read_too() -> None:
    record = TrialRecord("0", {}, "completed", 0.9, epochs=1, seconds=7.0).to_json()
    entries: list[dict[str, Any]] = [
        {"event": "started", "trial_id": "0", "hyperparameters": {}, "origin": "default"},
        {"event": "epoch", "trial_id": "0", "epoch": 1, "metric": None},
        {"event": "ended", "record": record},
        {"event": "finished", "max_trials": 1},
    ]
    standing = Standing(entries)
    assert (standing.trials["0"].seconds, standing.trials["0"].accuracies, standing.finished) == (7.0, [], True)
