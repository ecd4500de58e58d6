"""A trial whose worker died, in the oracle."""

from __future__ import annotations

from pathlib import Path

import keras_tuner

from tune.journal import Journal
from tune.oracle import StudyOracle


def oracle_of(path: Path) -> StudyOracle:
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 0.0, 1.0)
    return StudyOracle(
        keras_tuner.Objective("accuracy", "max"), hyperparameters=hp, max_trials=1, journal=Journal(path)
    )


def test_a_node_that_leaves_is_not_counted_against_the_trial_a_worker_that_dies_is(tmp_path: Path) -> None:
    oracle = oracle_of(tmp_path / "journal.jsonl")
    for number in range(5):
        assert oracle.create_trial(f"worker{number}").trial_id == "0"
        assert oracle.lose_trial("0", counted=False) is None
    assert oracle.attempts("0") == 1
    oracle.create_trial("worker")
    oracle.lose_trial("0")
    again = oracle_of(tmp_path / "journal.jsonl")
    again.reload()
    assert again.attempts("0") == oracle.attempts("0") == 2
    assert again.create_trial("worker").trial_id == "0"
    assert again.lose_trial("0") is None
    again.create_trial("worker")
    failed = again.lose_trial("0")
    assert failed is not None
    assert failed.state == "failed"


def test_a_trial_that_ends_its_process_again_and_again_fails_and_one_that_gets_on_does_not(tmp_path: Path) -> None:
    """Each round is a process that is killed while it runs the trial."""

    def killed(path: Path, epoch: int | None) -> tuple[int, list[str]]:
        oracle = oracle_of(path)
        failed = oracle.lose_interrupted()
        attempts = oracle.attempts("0")
        if oracle.create_trial("tuner").status == "RUNNING" and epoch is not None:
            oracle.update_trial("0", {"val_accuracy": 0.5}, epoch)
        return attempts, [record.state for record in failed]

    assert [killed(tmp_path / "gets on", epoch) for epoch in range(1, 6)] == [(1, [])] * 5
    deadly = [killed(tmp_path / "deadly", epoch) for epoch in (1, None, None, None, None)]
    assert deadly == [(1, []), (1, []), (2, []), (3, []), (4, ["failed"])]
