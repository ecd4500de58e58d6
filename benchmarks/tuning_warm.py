"""A search that begins with what a search on other data has found, against one that begins with nothing."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks._harness import Benchmark, Options, Outcome
from benchmarks._tables import Table, hpo_bench
from tune.former_best import Former

TRIALS, PAIRS, SEEDS = 40, 30, 3
_EARLY = 10  # trials
_QUICK_PAIRS, _QUICK_SEEDS = 10, 1
_WARM_SEEDS = 1000  # apart from those of the source and of the cold search, as a re-tune's are
_RESAMPLES = 10_000

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Searched:
    """One search.

    Attributes:
        regrets: After each trial, in percentage points of accuracy.
        left: What it leaves to the next.
    """

    regrets: Array
    left: Former


def run(options: Options) -> Outcome:
    """Sources once for each data set and seed; the same search is the cold one where its data set is the target.

    With tables of learning curves, the searches with rungs that `evertune tune` makes, too.
    """
    pairs, seeds = (_QUICK_PAIRS, _QUICK_SEEDS) if options.quick else (PAIRS, SEEDS)
    found = measure(hpo_bench(), pairs, range(options.seed, options.seed + seeds), TRIALS)
    if options.data is None:
        return found
    from benchmarks._curves.warm import warm_regrets

    curves = _curve_figures(warm_regrets(options.data, pairs, options.seed))
    targets = {**found.targets, "curves_best_and_ranks_minus_cold_high": ("<=", 0.0)}
    return Outcome({**found.figures, **curves}, targets, {**found.settings, "curve_pairs": pairs})


def measure(tables: Sequence[Table], pairs: int, seeds: Sequence[int], trials: int) -> Outcome:
    """Warm and cold search on the second table of each pair.

    Args:
        tables: Data sets.
        pairs: How many of the ordered pairs of them, shuffled by Python's generator with seed 0.
        seeds: Each pair with each.
        trials: Of every search.
    """
    names = [table.name for table in tables]
    chosen = list(itertools.permutations(names, 2))
    random.Random(0).shuffle(chosen)
    by_name = dict(zip(names, tables, strict=True))
    cold = {(name, seed): search(by_name[name], seed, trials) for name in names for seed in seeds}
    print("sources searched", flush=True)
    found = []
    for source, target in chosen[:pairs]:
        warm = [search(by_name[target], _WARM_SEEDS + seed, trials, cold[source, seed].left) for seed in seeds]
        found.append([(each.regrets, cold[target, seed].regrets) for each, seed in zip(warm, seeds, strict=True)])
        print(f"{source} -> {target}: {np.mean([each.regrets[_EARLY - 1] for each in warm]):.2f}", flush=True)
    return Outcome(
        _figures(np.array(found)),
        {"warm_regret_after_10_points_mean": ("<=", 0.8), "difference_after_40_points_low": ("<=", 0.0)},
        {"pairs": len(found), "seeds": len(seeds), "trials": trials, "accuracy": "mean of the table's trainings"},
    )


def search(table: Table, seed: int, trials: int, former: Former | None = None) -> Searched:
    """`StudyOracle` as a search of ours uses it, with the best of another search, or with defaults first."""
    import keras_tuner

    from tune import StudyOracle, WarmStart
    from tune.journal import Journal

    begin = WarmStart() if former is None else WarmStart(former.best, ranks=former.ranks)
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        oracle = StudyOracle(
            keras_tuner.Objective("accuracy", "max"),
            trials,
            table.hyperparameters(),
            seed=seed,
            enqueue=begin.queue(),
            enqueue_defaults=not begin.hyperparameters,
            former=begin.ranks,
            journal=journal,
        )
        while (trial := oracle.create_trial("tuner")).status == "RUNNING":
            costs.append(float(table.look_up(trial.hyperparameters.values)[0]))
            oracle.update_trial(trial.trial_id, {"accuracy": 1 - costs[-1]})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        journal.close()
    regrets = 100 * (np.minimum.accumulate(costs) - table.costs.min())
    return Searched(regrets, Former.of(list(oracle.records.values())))


def _figures(found: Array) -> dict[str, float]:
    """Of regrets with the shape (pairs, seeds, 2, trials); 0 of the third axis is warm."""
    figures: dict[str, float] = {}
    last = found.shape[-1]
    for trials in (_EARLY, last):
        warm, cold = found[:, :, 0, trials - 1], found[:, :, 1, trials - 1]
        for name, values in {"warm_regret": warm, "cold_regret": cold, "difference": warm - cold}.items():
            figures |= _spread(f"{name}_after_{trials}_points", values)
    return figures


def _curve_figures(regrets: Array) -> dict[str, float]:
    """Of regrets with the shape (pairs, beginnings)."""
    from benchmarks._curves.warm import BEGINNINGS

    figures: dict[str, float] = {}
    columns = dict(zip(BEGINNINGS, regrets.T, strict=True))
    pairs = {"best_minus_cold": ("best", "cold"), "best_and_ranks_minus_cold": ("best_and_ranks", "cold"),
             "best_and_ranks_minus_best": ("best_and_ranks", "best")}  # fmt: skip
    differences = {name: columns[one] - columns[other] for name, (one, other) in pairs.items()}
    for name, values in {**columns, **differences}.items():
        figures |= _spread(f"curves_{name}", values[:, None])
    return figures


def _spread(name: str, values: Array) -> dict[str, float]:
    """Of values with the shape (pairs, seeds)."""
    low, high = _interval(values)
    middle = {"mean": float(values.mean()), "low": low, "high": high, "median": float(np.median(values))}
    return {f"{name}_{each}": value for each, value in middle.items()}


def _interval(values: Array) -> tuple[float, float]:
    """95% of the mean over pairs: whole pairs are drawn anew, with all of their seeds (percentile bootstrap)."""
    rng = np.random.default_rng(0)
    means = values.mean(axis=1)[rng.integers(len(values), size=(_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


BENCHMARK = Benchmark(
    summary="a search that begins with another's best against one that begins with nothing (HPOBench, TaskSet)",
    duration="about 5 min; --quick 2 min",
    run=run,
)
