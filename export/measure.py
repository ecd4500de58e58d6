"""Latency, measured so that figures can be compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from evertune.runtime import Session
from evertune.tensors import Tensors

LATENCY_BATCHES = (1, 8, 64)
_BLOCK_SECONDS = 0.002  # a block of runs lasts about this long: well above the clock's and the scheduler's grain
_MOST_RUNS = 200  # of a block


@dataclass(frozen=True)
class Latencies:
    """What interleaved rounds gave.

    Attributes:
        seconds: By model and batch size: the median over rounds of the mean time of one run.
        ratio: By model and batch size: the median over rounds of its time divided by the baseline's in that round.
    """

    seconds: dict[str, dict[int, float]]
    ratio: dict[str, dict[int, float]]


def measure_latency(
    sessions: Mapping[str, Session],
    rows: Tensors,
    *,
    baseline: str,
    rounds: int,
    batches: tuple[int, ...] = LATENCY_BATCHES,
    clock: Callable[[], float] = time.perf_counter,
) -> Latencies:
    """Times every model in every round, so that what else the machine does hits all of them alike.

    Args:
        sessions: Models by name, each loaded with the threads it is to be measured with.
        rows: Inputs; repeated where a batch needs more.
        baseline: Name of the model that ratios refer to.
        rounds: Each times every model once at every batch size, in rotating order.
        batches: Batch sizes in rows.
        clock: Seconds, monotonic.
    """
    names = list(sessions)
    inputs = {size: _first(rows, size) for size in batches}
    runs = {(name, size): _runs(sessions[name], inputs[size], clock) for name in names for size in batches}
    times: dict[tuple[str, int], list[float]] = {key: [] for key in runs}
    for turn in range(rounds):
        order = names[turn % len(names) :] + names[: turn % len(names)]
        for size in batches:
            for name in order:
                times[name, size].append(_block(sessions[name], inputs[size], runs[name, size], clock))
    return Latencies(
        {name: {size: statistics.median(times[name, size]) for size in batches} for name in names},
        {name: {size: _ratio(times[name, size], times[baseline, size]) for size in batches} for name in names},
    )


def _first(rows: Tensors, count: int) -> Tensors:
    return {name: np.ascontiguousarray(np.resize(value, (count, *value.shape[1:]))) for name, value in rows.items()}


def _runs(session: Session, inputs: Tensors, clock: Callable[[], float]) -> int:
    session.run(inputs)  # the first run of a shape allocates
    once = _block(session, inputs, 1, clock)
    return max(1, min(_MOST_RUNS, round(_BLOCK_SECONDS / max(once, 1e-9))))


def _block(session: Session, inputs: Tensors, runs: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(runs):
        session.run(inputs)
    return (clock() - start) / runs


def _ratio(times: list[float], baseline: list[float]) -> float:
    return statistics.median(mine / max(theirs, 1e-12) for mine, theirs in zip(times, baseline, strict=True))
