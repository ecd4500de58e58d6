"""Who is trained again, how often, and what survives a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_tuner
import pytest

from evertune.settings import TuneSettings
from tune.finals import FinalsOracle, finalists_of, trainings_of
from tune.journal import Journal
from tune.plan import Plan
from tune.record import TrialRecord
from tune.study import Study


def completed(trial_id: str, score: float, latency: float = 1e-5) -> TrialRecord:
    return TrialRecord(trial_id, {"x": score}, "completed", score=score, latency_seconds=latency, size_bytes=1000)


def oracle_of(journal: Journal, *finalists: TrialRecord, ended: tuple[TrialRecord, ...] = ()) -> FinalsOracle:
    space = keras_tuner.HyperParameters()
    space.Float("x", 0.0, 1.0)
    return FinalsOracle(finalists, 2, space, journal, ended)


def hand_out(oracle: FinalsOracle, name: str = "worker") -> Any:
    trial = oracle.create_trial(name)
    return None if trial.status == "STOPPED" else trial


def test_every_finalist_gets_every_seed_and_what_the_journal_holds_is_not_trained_again(
    tmp_path: Path, make_plan: Any
) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    finalists = (completed("4", 0.75), completed("0", 0.5))
    oracle = oracle_of(journal, *finalists)
    first, second = hand_out(oracle, "a"), hand_out(oracle, "b")
    assert (first.trial_id, second.trial_id) == ("4.1", "0.1")
    assert first.hyperparameters.values == {"x": 0.75}
    oracle.end_trial(first, TrialRecord("4.1", {"x": 0.75}, "completed", score=0.7))
    assert list(oracle.ongoing_trials) == ["b"]
    ended = tuple(TrialRecord.from_json(entry["record"]) for entry in journal.entries if entry["event"] == "final")
    assert [(record.trial_id, record.origin, record.score) for record in ended] == [("4.1", "final", 0.7)]
    again = oracle_of(journal, *finalists, ended=ended)  # after a kill
    rest = []
    while (trial := hand_out(again)) is not None:
        rest.append(trial.trial_id)
        again.end_trial(trial, TrialRecord(trial.trial_id, {}, "completed", score=0.7))
    assert rest == ["0.1", "4.2", "0.2"]
    plan: Plan = make_plan()
    seeds = {plan.trial_seed(trial_id) for trial_id in ("4", "4.1", "4.2", "0", "0.1", "0.2")}
    assert len(seeds) == 6
    assert plan.trial_seed("4") == 4


def test_a_finalist_that_kills_its_workers_fails(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    oracle = oracle_of(journal, completed("0", 0.5), completed("1", 0.4))
    for attempt in (1, 2, 3):
        trial = hand_out(oracle)
        assert (trial.trial_id, oracle.attempts("0.1")) == ("0.1", attempt)
        failed = oracle.lose_trial("0.1")
    assert failed is not None
    assert (failed.state, journal.entries[-1]["record"]["state"]) == ("failed", "failed")
    assert hand_out(oracle).trial_id == "1.1"


@pytest.mark.parametrize(
    ("settings", "trainings"),
    [({"max_trials": 17}, 0), ({"max_trials": 18}, 6), ({"finalists": 0}, 0), ({"finalists": 1}, 0)],
)
def test_finals_are_held_where_they_are_a_third_of_the_search_at_most(settings: dict[str, Any], trainings: int) -> None:
    assert trainings_of(TuneSettings(**settings)) == trainings


def test_finalists_are_what_would_ship_and_then_the_most_accurate(tmp_path: Path, make_plan: Any) -> None:
    def finalists(*records: TrialRecord) -> list[str]:
        return [each.trial_id for each in finalists_of(Study(tmp_path, records, make_plan(), {}), 2)]

    slow = completed("0", 0.9, latency=5.0)  # over the limit
    assert finalists(slow, completed("1", 0.7), completed("2", 0.8)) == ["2", "0"]
    assert finalists(completed("1", 0.7)) == []
