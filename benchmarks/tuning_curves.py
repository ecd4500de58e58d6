"""Regret of a search within a budget of epochs, on tables of learning curves, beside what people use."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks._harness import Benchmark, Options, Outcome, Target

_EPOCHS = 500  # of all trainings together: ten whole ones
_RATIO = 0.85  # of the best baseline's mean regret
_OURS = "evertune"
_SEEDS, _QUICK_SEEDS = 10, 2
_RESAMPLES = 10_000

Array = npt.NDArray[np.float64]
Job = tuple[Path, int, str, int]


def run(options: Options) -> Outcome:
    """Replays every search on every table with every seed."""
    from benchmarks._curves.searches import SEARCHES
    from benchmarks._curves.table import load_tables

    if options.data is None:
        raise SystemExit("tuning-curves needs --data DIR, a folder with tables of learning curves")
    tables = load_tables(options.data)
    seeds = range(options.seed, options.seed + (_QUICK_SEEDS if options.quick else _SEEDS))
    jobs = [(options.data, index, name, seed) for index in range(len(tables)) for name in SEARCHES for seed in seeds]
    regrets = _measure(jobs)
    found = {
        name: np.array([[regrets[index, name, seed] for seed in seeds] for index in range(len(tables))])
        for name in SEARCHES
    }
    _show([each.name for each in tables], found)
    best = min((name for name in found if name != _OURS), key=lambda name: found[name].mean())
    figures = {f"{name}_regret": float(each.mean()) for name, each in found.items()}
    figures |= {f"{name}_regret_median": float(np.median(each)) for name, each in found.items()}
    lower, upper = _ratio_interval(found[_OURS], found[best], options.seed)
    figures |= {
        "ratio_to_best_baseline": float(found[_OURS].mean() / found[best].mean()),
        "ratio_to_best_baseline_lower": lower,
        "ratio_to_best_baseline_upper": upper,
    }
    targets: dict[str, Target] = {
        "ratio_to_best_baseline": ("<=", _RATIO),
        "ratio_to_best_baseline_upper": ("<=", 1.0),
    }
    settings = {"tables": len(tables), "seeds": len(seeds), "epochs": _EPOCHS, "best_baseline": best}
    return Outcome(figures, targets, settings)


def _measure(jobs: list[Job]) -> dict[tuple[int, str, int], float]:
    """One process a core; each job is a search."""
    os.environ.update(OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="torch")
    found: dict[tuple[int, str, int], float] = {}
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for (_, index, name, seed), regret in pool.imap_unordered(_one, jobs, chunksize=4):
            found[index, name, seed] = regret
            if len(found) % 20 == 0:
                print(f"{len(found)} of {len(jobs)} searches", flush=True)
    return found


def _one(job: Job) -> tuple[Job, float]:
    from benchmarks._curves.bench import Bench
    from benchmarks._curves.searches import replay
    from benchmarks._curves.table import load_tables

    folder, index, name, seed = job
    if folder not in _TABLES:
        _TABLES[folder] = load_tables(folder)
    return job, replay(name, Bench(_TABLES[folder][index], _EPOCHS), seed)


_TABLES: dict[Path, list[Any]] = {}  # of this process


def _ratio_interval(ours: Array, theirs: Array, seed: int) -> tuple[float, float]:
    """95%, paired by table and seed; seeds are drawn again within each table, by the bootstrap."""
    random = np.random.default_rng(seed)
    rows = np.arange(ours.shape[0])[:, None]
    drawn = [random.integers(0, ours.shape[1], ours.shape) for _ in range(_RESAMPLES)]
    ratios = [ours[rows, each].mean() / theirs[rows, each].mean() for each in drawn]
    lower, upper = np.quantile(ratios, [0.025, 0.975])
    return float(lower), float(upper)


def _show(names: Iterable[str], found: dict[str, Array]) -> None:
    for search, each in sorted(found.items(), key=lambda item: item[1].mean()):
        by_table = ", ".join(f"{mean:.2f}" for mean in each.mean(axis=1))
        print(f"{search:<26} mean {each.mean():.3f}, median {np.median(each):.3f}; by table {by_table}")
    print("tables:", ", ".join(names), flush=True)


BENCHMARK = Benchmark(
    "regret of the search within 500 epochs, on tables of learning curves",
    "about 25 minutes with --data; 5 with --quick",
    run,
)
