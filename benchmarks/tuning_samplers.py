"""The best of 40 trials on the four FCNet tables, and what a suggestion costs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks._harness import Benchmark, Options, Outcome
from benchmarks._searches import (
    Runner,
    Search,
    evertune,
    interval,
    keras_tuner_bayesian,
    keras_tuner_random,
    through_optuna,
)
from benchmarks._tables import Table, fcnet

TRIALS, SEEDS = 40, 10
_SLOW_SEEDS = 1  # of KerasTuner's Bayesian optimization with --quick
_LAST = 10  # trials, over which the cost of a suggestion is taken: there every sampler has its model

RUNNERS: dict[str, Runner] = {
    "evertune": evertune,
    "optuna": through_optuna,
    "random": keras_tuner_random,
    "keras_tuner_bayesian": keras_tuner_bayesian,
}


def run(options: Options) -> Outcome:
    """Every sampler on every table with the same seeds."""
    slow = _SLOW_SEEDS if options.quick else SEEDS
    counts = {name: slow if name == "keras_tuner_bayesian" else SEEDS for name in RUNNERS}
    return measure(fcnet(), counts, TRIALS, options.seed)


def measure(tables: Sequence[Table], seeds: Mapping[str, int], trials: int, first_seed: int) -> Outcome:
    """So many seeds of each sampler by name."""
    figures: dict[str, float] = {}
    for name, count in seeds.items():
        found = [_searches(RUNNERS[name], table, trials, range(first_seed, first_seed + count)) for table in tables]
        figures |= _figures(name, tables, found)
        print(f"{name}: {figures[f'{name}_ratio_mean']:.3f}", flush=True)
    return Outcome(
        figures,
        {"evertune_ratio_mean": ("<=", 1.04), "evertune_cpu_seconds_per_suggestion": ("<=", 0.3)},
        {"trials": trials, "seeds": dict(seeds), "loss": "mean squared error, mean of the trainings in the table"},
    )


def _searches(runner: Runner, table: Table, trials: int, seeds: range) -> list[Search]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # KerasTuner's Gaussian process says of every fit that it may not converge
        return [runner(table, trials, seed) for seed in seeds]


def _figures(name: str, tables: Sequence[Table], found: Sequence[Sequence[Search]]) -> dict[str, float]:
    optima = [table.costs.min() for table in tables]
    ratios = np.array(
        [[each.costs.min() / optimum for each in row] for optimum, row in zip(optima, found, strict=True)]
    )
    seconds = [each.cpu_seconds[-_LAST:].mean() for row in found for each in row]
    low, high = interval(ratios)
    figures = {
        f"{name}_ratio_mean": float(ratios.mean()),
        f"{name}_ratio_mean_low": low,
        f"{name}_ratio_mean_high": high,
        f"{name}_ratio_median": float(np.median(ratios)),
        f"{name}_cpu_seconds_per_suggestion": float(np.mean(seconds)),
    }
    for table, row in zip(tables, ratios, strict=True):
        figures |= {
            f"{name}_{table.name}_ratio_mean": float(row.mean()),
            f"{name}_{table.name}_ratio_median": float(np.median(row)),
        }
    return figures


BENCHMARK = Benchmark(
    summary="best of 40 trials on finished trainings (FCNet), over the optimum, and CPU seconds a suggestion",
    duration="about 20 min, nearly all of it KerasTuner's; --quick 4 min",
    run=run,
)
