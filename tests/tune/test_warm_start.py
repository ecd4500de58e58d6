"""Fine-tuning and its twin, over kills and from one search to the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evertune.errors import SearchError
from evertune.settings import TuneSettings
from tune import WarmStart
from tune.journal import read_entries
from tune.proposal import FINE_TUNE
from tune.weights import save_arrays

Searched = Any  # of conftest.py


def test_fine_tuning_is_first_then_all_from_scratch_in_order(tmp_path: Path) -> None:
    begin = WarmStart(({"x": 1}, {"x": 2}), tmp_path / "weights.npz")
    tried = [(each.origin, each.values["x"]) for each in begin.queue()]
    assert tried == [(FINE_TUNE, 1), ("warm start", 1), ("warm start", 2)]
    assert [each.origin for each in replace(begin, weights=None).queue()] == ["warm start", "warm start"]


def test_a_study_keeps_a_copy_of_the_weights(tmp_path: Path) -> None:
    save_arrays(tmp_path / "weights.npz", weights=[np.ones(3)])
    begin = WarmStart(({"x": 1}, {"x": 2}), tmp_path / "weights.npz", defaults=False, source="study main")
    (tmp_path / "study").mkdir()
    kept = begin.kept_in(tmp_path / "study")
    (tmp_path / "weights.npz").unlink()
    assert kept.kept_in(tmp_path / "study") == kept
    assert kept.weights is not None
    assert kept.weights.is_file()
    assert WarmStart.from_json(kept.to_json(), tmp_path / "study") == kept
    cold = WarmStart()
    assert WarmStart.from_json(cold.to_json(), tmp_path / "study") == cold.kept_in(tmp_path / "study") == cold


def test_a_search_from_another_fine_tunes_trains_anew_and_remembers_where_it_began(
    searched: Searched, tmp_path: Path
) -> None:
    begin, folder = WarmStart.of_study(searched.study), tmp_path / "study"
    assert begin.weights is not None

    def go_on(max_trials: int, warm_start: WarmStart | None) -> None:
        settings = TuneSettings(max_trials=max_trials, max_epochs=2, workers=1, seed=9, finalists=0)
        searched.again(folder=folder, settings=settings, warm_start=warm_start)

    go_on(1, begin)
    go_on(2, None)  # the twin is still to come, though nobody says so again
    entries = read_entries(folder / "journal.jsonl")[0]
    started = [entry for entry in entries if entry["event"] == "started"]
    assert [entry["origin"] for entry in started] == [FINE_TUNE, "warm start"]
    assert started[0]["hyperparameters"] == started[1]["hyperparameters"] == begin.hyperparameters[0]
    first = {entry["trial_id"]: entry["metric"] for entry in reversed(entries) if entry["event"] == "epoch"}
    assert first["0"] > first["1"] + 0.05
    with pytest.raises(SearchError, match="it began with study main, not with bundle 4f0c"):
        go_on(3, replace(begin, source="bundle 4f0c"))
