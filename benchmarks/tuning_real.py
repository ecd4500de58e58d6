"""Seconds until a search has a quantized artifact, within the limits, as good as the best of 20 random trainings."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from benchmarks._harness import Benchmark, Options, Outcome, Target

_KERAS_TUNER = ("Hyperband", "BayesianOptimization")
_SEARCHES = ("evertune", *_KERAS_TUNER, "optuna")
_RANDOM_TRIALS, _QUICK_RANDOM_TRIALS = 20, 10
_SEEDS, _QUICK_SEEDS = 3, 1
_ROWS = 3_000
_MOST_SECONDS = 600.0
_PATIENCE_RATIO = 2.5  # of the longest that ours took: so long the others may take, which is enough to tell


@dataclass(frozen=True)
class _Reached:
    seconds: float  # the limit, where the target was not reached in time: it took more
    in_time: bool
    infeasible: int  # models over a limit that were trained


def run(options: Options) -> Outcome:
    """The target for each backend, then every search with every seed, in turns.

    Ours come first: a search that has not reached the target in 2.5 times the longest time of ours is ended.
    """
    backends = ("torch",) if options.quick else ("torch", "tensorflow")
    seeds = range(options.seed, options.seed + (_QUICK_SEEDS if options.quick else _SEEDS))
    os.environ["EVERTUNE_BENCHMARK_ROWS"] = str(_ROWS)
    trials = _QUICK_RANDOM_TRIALS if options.quick else _RANDOM_TRIALS
    figures: dict[str, float] = {}
    targets: dict[str, Target] = {}
    for backend in backends:
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # how long these take is nobody's figure
            bests = [max(each) for each in pool.map(partial(_scores, backend, trials), seeds)]
        target = figures[f"{backend}_target_accuracy"] = median(bests)
        print(
            f"{backend}: the best of {trials} random trainings: {', '.join(f'{each:.4f}' for each in bests)}",
            flush=True,
        )
        found: dict[str, list[_Reached]] = {name: [] for name in _SEARCHES}
        limit = _MOST_SECONDS
        for name, seed in _turns(seeds):
            if name != _SEARCHES[0]:
                limit = min(_MOST_SECONDS, _PATIENCE_RATIO * max(each.seconds for each in found[_SEARCHES[0]]))
            found[name].append(_until(name, backend, seed, target, limit))
            print(f"{backend} {name}, seed {seed}: {found[name][-1]}", flush=True)
        figures |= {f"{backend}_{name}_seconds": _median(each) for name, each in found.items()}
        figures |= {f"{backend}_{name}_infeasible": sum(e.infeasible for e in each) for name, each in found.items()}
        figures |= {f"{backend}_{name}_reached": sum(e.in_time for e in each) for name, each in found.items()}
        ours, best = _median(found["evertune"]), min(_median(found[name]) for name in _KERAS_TUNER)
        figures[f"{backend}_ratio_to_keras_tuner"] = ours / best
        figures[f"{backend}_ratio_to_optuna"] = ours / _median(found["optuna"])
        targets[f"{backend}_ratio_to_keras_tuner"] = ("<=", 0.5)
        targets[f"{backend}_ratio_to_optuna"] = ("<=", 1.0)
        targets[f"{backend}_evertune_infeasible"] = ("<=", 0.0)
    return Outcome(figures, targets, {"seeds": len(seeds), "random_trials": trials, "limit_seconds": _MOST_SECONDS})


def _turns(seeds: Iterable[int]) -> list[tuple[str, int]]:
    ours, *others = _SEARCHES
    return [(ours, seed) for seed in seeds] + [(name, seed) for seed in seeds for name in others]


def _median(found: list[_Reached]) -> float:
    """Of seconds; where the target was not reached, the limit stands for them."""
    return median(each.seconds for each in found)


def _until(name: str, backend: str, seed: int, target: float, limit_seconds: float) -> _Reached:
    infeasible = 0
    for seconds, line in _follow([name, backend, str(seed), "0"], limit_seconds):
        infeasible += line["infeasible"]
        if line["score"] is not None and line["score"] >= target:
            return _Reached(seconds, True, infeasible)
    return _Reached(limit_seconds, False, infeasible)


def _scores(backend: str, trials: int, seed: int) -> list[float]:
    lines = _follow(["random", backend, str(seed), str(trials)], math.inf, OMP_NUM_THREADS="1")
    return [line["score"] for _, line in lines if line["score"] is not None]


def _follow(arguments: list[str], limit_seconds: float, **environment: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """What a search reports, with the seconds since its process began; it is ended when the caller has enough."""
    start = time.monotonic()
    command = [sys.executable, "-m", "benchmarks._real", *arguments]
    process = subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    timer = threading.Timer(min(limit_seconds, threading.TIMEOUT_MAX), _end, [process])
    timer.start()
    try:
        assert process.stdout is not None  # a pipe: above
        for line in process.stdout:
            if line.startswith(b"{"):
                yield time.monotonic() - start, json.loads(line)
        if process.wait() > 0:
            raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
    finally:
        timer.cancel()
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """With its workers."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


BENCHMARK = Benchmark(
    "seconds until a search has a quantized artifact as good as the best of 20 random trainings",
    "about an hour; 10 minutes with --quick",
    run,
)
