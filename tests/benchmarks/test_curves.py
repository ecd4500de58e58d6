"""Replays on tables of learning curves: what a search is given, and that every search runs."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")  # before KerasTuner imports Keras: TensorFlow takes seconds

from benchmarks._curves.bench import Bench, SpentError
from benchmarks._curves.searches import SEARCHES, replay
from benchmarks._curves.table import Table, load_tables
from benchmarks._curves.warm import warm_regrets_of
from benchmarks.tuning_curves import _ratio_interval

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras_tuner.src.engine.oracle")  # old names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One table of 60 settings and 9 epochs: the rate decides, and one in ten diverges."""
    random = np.random.default_rng(0)
    entries = []
    for number in range(60):
        rate, beta = 10 ** random.uniform(-5, 0), 1 - 10 ** random.uniform(-4, 0)
        end = abs(np.log10(rate) + 2) / 3
        losses = [end + (1 - end) * 0.6**epoch for epoch in range(10)]
        if number % 10 == 0:
            losses[4:] = [float("nan")] * 6
        entries.append({"hp": {"rate": rate, "beta": beta}, "valid": {"loss": losses}})
    made = tmp_path_factory.mktemp("tables")
    (made / "taskset").mkdir()
    (made / "taskset" / "toy.json.gz").write_bytes(gzip.compress(json.dumps(entries).encode()))
    (made / "other.json").write_text('{"no": "table"}')
    return made


@pytest.fixture
def table(folder: Path) -> Table:
    (found,) = load_tables(folder)
    return found


def test_a_momentum_is_searched_by_its_distance_to_one_on_a_log_scale(table: Table) -> None:
    assert (table.name, table.epochs, table.points.shape) == ("toy", 9, (60, 2))
    assert [hp.sampling for hp in table.space.space] == ["log", "log"]
    assert table.points.min() >= 0
    assert table.points.max() <= 1
    assert min(each["beta"] for each in table.settings) == pytest.approx(1e-4, rel=3)


def test_regret_is_zero_at_the_best_and_one_at_the_median_of_the_last_epoch(table: Table) -> None:
    assert table.regret(float(np.nanmin(table.curves[:, 1:]))) == 0
    assert table.regret(float(np.nanmedian(table.curves[:, -1]))) == 1


def test_a_row_is_given_once_and_epochs_end(table: Table) -> None:
    bench = Bench(table, 3)
    first = bench.row(table.points[5])
    assert first == 5
    assert bench.row(table.points[5]) != 5
    losses = [bench.train(first, epoch) for epoch in (1, 2, 3)]
    assert bench.best == min(losses)
    with pytest.raises(SpentError):
        bench.train(first, 4)


@pytest.mark.parametrize("name", list(SEARCHES))
def test_every_search_spends_its_budget_and_no_more(name: str, table: Table) -> None:
    bench = Bench(table, 60)
    assert 0 <= replay(name, bench, seed=0) < 3
    assert bench.spent <= 60
    assert bench.spent >= 50


def test_a_search_that_begins_with_another_ones_best_is_there_at_once(
    folder: Path, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is its own source."""
    monkeypatch.setattr("benchmarks._curves.warm.SOURCE_EPOCHS", 200)
    monkeypatch.setattr("benchmarks._curves.warm.EPOCHS", 6)
    cold, best, ranks = warm_regrets_of((folder, 0, 0, 1))
    assert max(best, ranks) < cold
    assert min(best, ranks) >= 0


def test_the_interval_is_paired(table: Table) -> None:
    theirs = np.random.default_rng(0).random((4, 10)) + 0.5
    lower, upper = _ratio_interval(0.8 * theirs, theirs, 0)
    assert lower == pytest.approx(0.8)
    assert upper == pytest.approx(0.8)


def test_a_folder_without_tables_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no table of learning curves"):
        load_tables(tmp_path)
