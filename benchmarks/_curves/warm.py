"""Searches over learning curves that begin with what a search on another table has found."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks._curves.bench import Bench
from benchmarks._curves.searches import evertune_from
from benchmarks._curves.table import Array, load_tables
from tune.former_best import Former

SOURCE_EPOCHS, EPOCHS = 500, 250
"""Of all trainings together, of the first search and of the one that follows."""

BEGINNINGS = ("cold", "best", "best_and_ranks")
"""With nothing, with the best configurations of the other search, and with the ranks of all its trials besides."""

Job = tuple[Path, int, int, int]
_load = cache(load_tables)


def warm_regrets(folder: Path, pairs: int, first_seed: int) -> Array:
    """Regrets at the end, shape (pairs, beginnings).

    Args:
        folder: With tables of learning curves.
        pairs: How many of the ordered pairs of tables, shuffled by Python's generator with seed 0.
        first_seed: Of the first pair; each has its own.
    """
    chosen = list(itertools.permutations(range(len(load_tables(folder))), 2))
    random.Random(0).shuffle(chosen)
    jobs = [(folder, source, target, first_seed + index) for index, (source, target) in enumerate(chosen[:pairs])]
    os.environ.update(OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="torch")
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        return np.array(pool.map(warm_regrets_of, jobs, chunksize=1))


def warm_regrets_of(job: Job) -> list[float]:
    """Of one pair."""
    folder, source, target, seed = job
    tables = _load(folder)
    left = evertune_from(Bench(tables[source], SOURCE_EPOCHS), seed + 1000, Former())
    found = []
    for former in (Former(), replace(left, ranks=()), left):
        bench = Bench(tables[target], EPOCHS)
        evertune_from(bench, seed, former)
        found.append(tables[target].regret(bench.best))
    return found
