"""Latency, measured so that figures can be compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from evertune.runtime import Session
from evertune.runtime.session import CPU
from evertune.statistics import Interval, median_interval
from evertune.tensors import Tensors

LATENCY_BATCHES = (1, 8, 64)
FEWEST_ROUNDS = 6  # for an interval of 95%
_BLOCK_SECONDS = 0.002  # a block of runs lasts about this long: well above the clock's and the scheduler's grain
_MOST_RUNS = 200  # of a block
_TRIES = 3  # to tell how long a run takes
_FEWEST_AFFORDABLE = 25  # rounds: medians of ratios then move by a few percent from run to run on a busy machine

Clock = Callable[[], float]


def latency_batches(batch_rows: int) -> tuple[int, ...]:
    """1, 8, 64 and the batch whose latency decides, in order.

    Example:
        >>> latency_batches(16)
        (1, 8, 16, 64)
    """
    return tuple(sorted({*LATENCY_BATCHES, batch_rows}))


@dataclass(frozen=True)
class Latencies:
    """What interleaved rounds gave.

    Attributes:
        seconds: By model and batch size: the median over rounds of the mean time of one run.
        ratio: By model and batch size: the median over rounds of its time divided by the baseline's in that round.
        interval: By model and batch size: of that median ratio (95%); empty where there are fewer than 6 rounds.
        rounds: How many there were.
    """

    seconds: dict[str, dict[int, float]]
    ratio: dict[str, dict[int, float]]
    interval: dict[str, dict[int, Interval]]
    rounds: int


def measure_latency(
    sessions: Mapping[str, Session],
    rows: Tensors,
    *,
    baseline: str,
    rounds: int,
    batches: tuple[int, ...] = LATENCY_BATCHES,
    most_seconds: float = 60.0,
    load: Callable[[str], Session] | None = None,
    loads: int = 1,
    clock: Clock | None = None,
) -> Latencies:
    """Times every model in every round, so that what else the machine does hits all of them alike.

    Args:
        sessions: Models by name, each loaded with the threads it is to be measured with.
        rows: Inputs; repeated where a batch needs more.
        baseline: Name of the model that ratios refer to.
        rounds: Each times every model once at every batch size, in rotating order.
        batches: Batch sizes in rows.
        most_seconds: Fewer rounds, but at least 25 (or `rounds`), where all would take longer. Fixed before the first
            round, so that no figure decides how often it is measured.
        load: Loads a model of that name anew. Where a load puts the weights in memory moves its latency by up to a
            tenth for as long as it lives, in every round; and who is loaded first has the worst place.
        loads: Over which rounds are spread where `load` is given, each in another order.
        clock: Seconds, monotonic; None: `clock_of` the sessions.
    """
    names, clock = list(sessions), clock or clock_of(sessions)
    inputs = {size: _first(rows, size) for size in batches}
    keys = [(name, size) for size in batches for name in names]
    once = {(name, size): _once(sessions[name], inputs[size], clock) for name, size in keys}
    # As many for every model: the first run of a block finds cold caches, and must weigh the same in all of them.
    runs = {size: _runs(statistics.median(once[name, size] for name in names)) for size in batches}
    rounds = _affordable(rounds, sum(once[name, size] * (runs[size] + 1) for name, size in keys), most_seconds)
    times: dict[tuple[str, int], list[float]] = {key: [] for key in keys}
    each_load = -(-rounds // loads)
    for turn in range(rounds):
        order = names[turn % len(names) :] + names[: turn % len(names)]
        if load is not None and turn > 0 and turn % each_load == 0:
            sessions = _loaded(load, names, turn // each_load)
            for name, size in keys:
                sessions[name].run(inputs[size])  # the first run of a shape allocates
        for size in batches:
            for name in order:
                times[name, size].append(_block(sessions[name], inputs[size], runs[size], clock))
    ratios = {key: _ratios(times[key], times[baseline, key[1]]) for key in times}
    return Latencies(
        {name: {size: statistics.median(times[name, size]) for size in batches} for name in names},
        {name: {size: statistics.median(ratios[name, size]) for size in batches} for name in names},
        {name: {size: _interval(ratios[name, size], each_load) for size in batches} for name in names}
        if rounds >= FEWEST_ROUNDS
        else {name: {} for name in names},
        rounds,
    )


def clock_of(sessions: Mapping[str, Session]) -> Clock:
    """The processor time of this thread where that is all a run takes: one thread on the CPU.

    Wall-clock time holds what the scheduler gave to others meanwhile: on a loaded machine the medians of one and the
    same file then differ by a factor of three. Several threads, and accelerators, are timed by the wall clock.
    """
    alone = all(session.threads == 1 and session.provider == CPU[0] for session in sessions.values())
    return time.thread_time if alone else time.perf_counter


def _loaded(load: Callable[[str], Session], names: list[str], turn: int) -> dict[str, Session]:
    first = turn % len(names)
    return {name: load(name) for name in names[first:] + names[:first]}


def _interval(ratios: list[float], each_load: int) -> Interval:
    """Of the loads' medians where there are enough: rounds of one load are not independent of each other."""
    loads = [statistics.median(ratios[start : start + each_load]) for start in range(0, len(ratios), each_load)]
    return median_interval(loads if len(loads) >= FEWEST_ROUNDS else ratios)


def _affordable(rounds: int, round_seconds: float, most_seconds: float) -> int:
    return int(min(rounds, max(_FEWEST_AFFORDABLE, most_seconds // max(round_seconds, 1e-9))))


def _first(rows: Tensors, count: int) -> Tensors:
    return {name: np.ascontiguousarray(np.resize(value, (count, *value.shape[1:]))) for name, value in rows.items()}


def _once(session: Session, inputs: Tensors, clock: Clock) -> float:
    return min(_block(session, inputs, 1, clock) for _ in range(_TRIES))


def _runs(once: float) -> int:
    return max(1, min(_MOST_RUNS, round(_BLOCK_SECONDS / max(once, 1e-9))))


def _block(session: Session, inputs: Tensors, runs: int, clock: Clock) -> float:
    session.run(inputs)  # fills caches, and the first one of a shape allocates
    start = clock()
    for _ in range(runs):
        session.run(inputs)
    return (clock() - start) / runs


def _ratios(times: list[float], baseline: list[float]) -> list[float]:
    return [mine / max(theirs, 1e-12) for mine, theirs in zip(times, baseline, strict=True)]
