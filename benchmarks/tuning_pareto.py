"""The hypervolume of 50 trials on the three NAS-Bench-201 tables: error and latency."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from benchmarks._harness import Benchmark, Options, Outcome
from benchmarks._searches import (
    Runner,
    evertune,
    interval,
    keras_tuner_bayesian,
    keras_tuner_random,
    through_optuna,
)
from benchmarks._tables import Costs, Table, nas_bench_201

TRIALS, SEEDS = 50, 10
_SLOW_SEEDS = 1  # of KerasTuner's Bayesian optimization with --quick
_LAST = 10  # trials, over which the cost of a suggestion is taken: there every sampler has its model
_MARGIN = 0.1  # of the front's range, from the front's worst to the near reference point

RUNNERS: dict[str, Runner] = {
    "evertune": evertune,
    "optuna": through_optuna,
    "random": keras_tuner_random,
    "keras_tuner_sum": keras_tuner_bayesian,
}


def run(options: Options) -> Outcome:
    """Every sampler on every table with the same seeds."""
    slow = _SLOW_SEEDS if options.quick else SEEDS
    counts = {name: slow if name == "keras_tuner_sum" else SEEDS for name in RUNNERS}
    return measure(nas_bench_201(), counts, TRIALS, options.seed)


def measure(tables: Sequence[Table], seeds: Mapping[str, int], trials: int, first_seed: int) -> Outcome:
    """So many seeds of each sampler by name.

    The reference point is the worst of each cost in the whole table. Nearer to the front, at a tenth of its range
    beyond its ends, the share is a harsher figure; it is reported beside.
    """
    figures: dict[str, float] = {}
    for name, count in seeds.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # KerasTuner's Gaussian process says of every fit that it may not converge
            found = [
                [RUNNERS[name](table, trials, seed) for seed in range(first_seed, first_seed + count)]
                for table in tables
            ]
        seconds = [each.cpu_seconds[-_LAST:].mean() for row in found for each in row]
        figures |= _figures(name, tables, [[each.costs for each in row] for row in found])
        figures[f"{name}_cpu_seconds_per_suggestion"] = float(np.mean(seconds))
        print(f"{name}: {figures[f'{name}_hypervolume_mean']:.3f}", flush=True)
    return Outcome(
        figures,
        {"evertune_hypervolume_mean": (">=", 0.9)},
        {"trials": trials, "seeds": dict(seeds), "reference": "the table's worst error and worst latency"},
    )


def _figures(name: str, tables: Sequence[Table], found: Sequence[Sequence[Costs]]) -> dict[str, float]:
    far, near = (_shares(tables, found, reference) for reference in (worst, beyond_front))
    low, high = interval(far)
    figures = {
        f"{name}_hypervolume_mean": float(far.mean()),
        f"{name}_hypervolume_mean_low": low,
        f"{name}_hypervolume_mean_high": high,
        f"{name}_hypervolume_median": float(np.median(far)),
        f"{name}_near_hypervolume_mean": float(near.mean()),
    }
    for table, row in zip(tables, far, strict=True):
        figures[f"{name}_{table.name}_hypervolume_mean"] = float(row.mean())
    return figures


def _shares(
    tables: Sequence[Table], found: Sequence[Sequence[Costs]], reference: Callable[[Table], Costs]
) -> npt.NDArray[np.float64]:
    pairs = zip(tables, found, strict=True)
    return np.array([[share(table, costs, reference(table)) for costs in row] for table, row in pairs])


def worst(table: Table) -> Costs:
    """The worst of each cost in the table."""
    found: Costs = table.costs.reshape(-1, 2).max(axis=0)
    return found


def beyond_front(table: Table) -> Costs:
    """A tenth of the true front's range beyond its ends."""
    front = _front(table.costs.reshape(-1, 2))
    found: Costs = front.max(axis=0) + _MARGIN * np.ptp(front, axis=0)
    return found


def share(table: Table, costs: Costs, reference: Costs) -> float:
    """The area that `costs` dominate, as a share of what the true front dominates."""
    return area(costs, reference) / area(table.costs.reshape(-1, 2), reference)


def area(costs: Costs, reference: Costs) -> float:
    """What is dominated by two costs, up to the reference point.

    Example:
        >>> area(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0]]), np.array([3.0, 3.0]))
        3.0
    """
    front = _front(costs[(costs < reference).all(axis=1)])
    widths = np.diff(np.append(front[:, 0], reference[0]))
    return float(widths @ (reference[1] - front[:, 1]))


def _front(costs: npt.NDArray[np.float64]) -> Costs:
    """Points that no other beats, in rising order of the first cost."""
    ordered = costs[np.lexsort((costs[:, 1], costs[:, 0]))]
    lowest = np.minimum.accumulate(ordered[:, 1])
    first = np.ones(len(ordered), dtype=bool)
    first[1:] = ordered[1:, 1] < lowest[:-1]
    return ordered[first]


BENCHMARK = Benchmark(
    summary="hypervolume of 50 trials on finished trainings (NAS-Bench-201), as a share of the true front's",
    duration="about 25 min, nearly all of it KerasTuner's; --quick 5 min",
    run=run,
)
