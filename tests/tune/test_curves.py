"""What reports read from a journal: curves and importances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tune import Study, load_study
from tune.curves import learning_curves
from tune.importances import FEWEST_TRIALS, importances
from tune.journal import Journal
from tune.record import TrialRecord
from tune.study import JOURNAL

_CONFIGS: list[tuple[str, dict[str, Any]]] = [
    ("Float", {"name": "rate", "min_value": 1e-4, "max_value": 1.0, "sampling": "log"}),
    ("Int", {"name": "units", "min_value": 1, "max_value": 100, "sampling": "linear"}),
    ("Choice", {"name": "kind", "values": ["a", "b"]}),
    ("Boolean", {"name": "norm", "default": True}),
    ("Fixed", {"name": "constant", "value": 3}),
    ("Int", {"name": "depth", "min_value": 1, "max_value": 3}),
]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Of a study whose trials are to come."""
    opened = Journal(tmp_path / JOURNAL)
    plan = {"reference": "t.py:T", "root": ".", "folder": ".", "max_epochs": 3, "seed": 0, "backend": "torch"}
    opened.append("study", plan={**plan, "limits": {}, "export": {}, "warm_weights": None}, fingerprint={})
    opened.append("space", hyperparameters=[{"class_name": name, "config": config} for name, config in _CONFIGS])
    return opened


def run(journal: Journal, count: int, *, pruned: bool = False) -> Study:
    """Trials whose accuracy is a matter of `rate` alone."""
    random = np.random.default_rng(3)
    for number in range(count):
        rate = float(10 ** random.uniform(-4, 0))
        values = {
            "rate": rate,
            "units": int(random.integers(1, 100)),
            "kind": "ab"[number % 2],
            "norm": number % 3 == 0,
        }
        values |= {"constant": 3, **({"depth": 2} if number % 2 else {})}
        accuracy = 0.5 - 0.1 * np.log10(rate)
        journal.append("epoch", trial_id=str(number), epoch=1, metric=accuracy)
        state: Any = "pruned" if pruned else "completed"
        record = TrialRecord(str(number), values, state, score=None if pruned else accuracy, rung_metric=accuracy)
        journal.append("ended", record=record.to_json())
    journal.close()
    return load_study(journal.path.parent)


def test_an_epoch_that_was_trained_again_counts_once(journal: Journal) -> None:
    for epoch, metric in ((1, 0.5), (2, 0.6), (2, 0.61), (3, None)):
        journal.append("epoch", trial_id="0", epoch=epoch, metric=metric)
    journal.append("epoch", trial_id="1", epoch=1, metric=0.2)
    journal.close()
    assert learning_curves(journal.path.parent) == {"0": {1: 0.5, 2: 0.61}, "1": {1: 0.2}}
    assert learning_curves(journal.path.parent / "nowhere") == {}


def test_what_matters_is_found(journal: Journal) -> None:
    found = importances(run(journal, 40))
    assert found.absent is None
    assert next(iter(found.shares)) == "rate"
    assert found.shares["rate"] > 0.8
    assert set(found.shares) == {"rate", "units", "kind", "norm"}
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert (found.of, found.trials, found.left_out) == ("accuracy of the artifact", 40, ("depth",))


def test_where_most_were_stopped_early_all_are_compared_after_one_epoch(journal: Journal) -> None:
    found = importances(run(journal, 40, pruned=True))
    assert found.of == "accuracy after the first epoch"
    assert found.shares["rate"] > 0.8


def test_few_trials_say_nothing(journal: Journal) -> None:
    found = importances(run(journal, FEWEST_TRIALS - 1))
    assert not found.shares
    assert found.absent is not None
    assert str(FEWEST_TRIALS) in found.absent
