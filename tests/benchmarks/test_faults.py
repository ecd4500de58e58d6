"""What the benchmark of kills calls lost, run twice and done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks._faults.damage import damage, epochs_trained, hits_of


def started(trial_id: str) -> dict[str, Any]:
    return {"event": "started", "trial_id": trial_id}


def ended(
    trial_id: str, *, mark: float = 0.5, epochs: int = 4, state: str = "completed", error: str | None = None
) -> dict[str, Any]:
    values = {"units": 16, "mark": mark}
    record = {"trial_id": trial_id, "hyperparameters": values, "epochs": epochs, "state": state, "error": error}
    return {"event": "ended", "record": record}


WHOLE = [started("0"), started("1"), ended("0", mark=0.1), ended("1", mark=0.2)]


@pytest.mark.parametrize(
    ("entries", "told", "lost", "duplicated"),
    [
        (WHOLE, ["0", "1"], 0, 0),
        ([*WHOLE, started("2")], [], 1, 0),
        (WHOLE, ["0", "1", "7"], 1, 0),
        ([*WHOLE, started("2"), ended("2", mark=0.3, state="failed", error="its process died 3 times")], [], 1, 0),
        ([*WHOLE, started("2"), ended("2", mark=0.3, state="failed", epochs=0, error="the loss became nan")], [], 0, 0),
        ([*WHOLE, ended("1", mark=0.4)], [], 0, 1),
        ([*WHOLE, started("1")], [], 0, 1),
        ([*WHOLE, started("2"), ended("2", mark=0.2)], [], 0, 1),
    ],
    ids=[
        "whole",
        "not ended",
        "not written",
        "failed",
        "NaN",
        "ended twice",
        "started twice",
        "values of another",
    ],
)
def test_results_that_are_gone_or_there_twice_are_counted(
    entries: list[dict[str, Any]], told: list[str], lost: int, duplicated: int
) -> None:
    found = damage(entries, told, {}, {"0": 4.0, "1": 4.0, "2": 4.0})
    assert (found.lost, found.duplicated, found.redone_epochs) == (lost, duplicated, 0.0)


def test_epochs_done_again_are_shared_by_the_kills_that_met_the_trial(tmp_path: Path) -> None:
    (tmp_path / "16-0.1").write_text("60\n40\n" * 5)  # an epoch of 100 rows more than the record says
    (tmp_path / "16-0.2").write_text("100\n" * 4 + "50\n")
    epochs = epochs_trained(WHOLE, tmp_path, rows=100)
    assert epochs == {"0": 5.0, "1": 4.5}
    hits = hits_of([*WHOLE, {"event": "lost", "trial_id": "0"}], [["0"]])
    assert hits == {"0": 2}
    assert damage(WHOLE, [], {"0": 2, "1": 1}, epochs).redone_epochs_per_kill == 0.5
    assert damage(WHOLE, [], hits, epochs).redone_epochs_per_kill == float("inf")  # nothing was killed that explains it
