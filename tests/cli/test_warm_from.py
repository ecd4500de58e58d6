"""`evertune tune --warm-from`: what it may name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.warm_from import warm_start_from
from evertune.errors import InputError
from evertune.settings import Project
from tune.journal import Journal
from tune.record import TrialRecord

Run = Callable[..., Any]  # of conftest.py


def write_study(folder: Path) -> None:
    journal = Journal(folder / "journal.jsonl")
    plan = {"reference": "task.py:T", "root": str(folder), "folder": str(folder), "max_epochs": 3, "seed": 0}
    journal.append(
        "study",
        format_version=1,
        fingerprint={},
        plan={**plan, "backend": "torch", "limits": {}, "export": {}, "warm_weights": None},
    )
    for number, score in enumerate([0.5, 0.9]):
        record = TrialRecord(
            str(number), {"x": number}, "completed", score=score, latency_seconds=1e-3, size_bytes=1, recipe="fp32"
        )
        journal.append("ended", record=record.to_json())
    journal.close()


def test_a_study_by_name_or_by_folder(project: Project, tmp_path: Path) -> None:
    write_study(project.studies / "spring")
    found = warm_start_from("spring", project)
    assert found.hyperparameters == ({"x": 1}, {"x": 0})
    assert (found.weights, found.source) == (None, "study spring")
    assert warm_start_from(str(project.studies / "spring"), project) == found


def test_a_bundle_that_no_search_made_is_no_start(project: Project, seal: Callable[[float], str], run: Run) -> None:
    with pytest.raises(InputError, match="has no hyperparameters"):
        warm_start_from(seal(1.0), project)
    ended = run("tune", "--warm-from", "nothing")
    assert ended.code != 0
    assert "'nothing' is no folder, no digest and no model with a champion" in ended.err
