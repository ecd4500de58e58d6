"""Latencies are compared within rounds, so that a busy machine hits all models alike."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from evertune.runtime import Session
from evertune.tensors import Signature, Tensors
from export.measure import LATENCY_BATCHES, Latencies, clock_of, measure_latency

GraphMaker = Callable[..., bytes]


class Noted(Session):
    """A session that takes a set time on an injected clock, slower by the minute, and notes its runs."""

    def __init__(self, model: bytes, signature: Signature, name: str, seconds: float, log: list[str]) -> None:
        super().__init__(model, signature)
        self.name, self.seconds, self.log = name, seconds, log

    def run(self, inputs: Tensors) -> Tensors:
        self.log.append(f"{self.name}{len(inputs['x'])}")
        CLOCK[0] += self.seconds * len(inputs["x"]) * (1 + CLOCK[0] / 10)
        return super().run(inputs)


CLOCK = [0.0]


def test_rounds_interleave_and_ratios_survive_a_machine_that_slows_down(
    linear: GraphMaker, signature: Signature
) -> None:
    CLOCK[0] = 0.0
    log: list[str] = []
    sessions = {name: Noted(linear(), signature, name, seconds, log) for name, seconds in (("a", 0.002), ("b", 0.001))}
    rows = {"x": np.zeros((3, 4), np.float32)}
    times = measure_latency(sessions, rows, baseline="a", rounds=9, clock=lambda: CLOCK[0])
    assert set(times.seconds["a"]) == set(LATENCY_BATCHES) == {1, 8, 64}
    assert all(abs(ratio - 0.5) < 0.1 for ratio in times.ratio["b"].values())
    assert set(times.ratio["a"].values()) == {1.0}
    assert all(interval.lower <= 0.5 <= interval.upper for interval in times.interval["b"].values())
    ones = [entry[0] for entry in log if entry.endswith("64")][-36::2]  # one run before each that is timed
    assert ones == list("abbaabbaabbaabbaab")


def test_rows_are_repeated_to_fill_a_batch(linear: GraphMaker, signature: Signature) -> None:
    CLOCK[0] = 0.0
    log: list[str] = []
    session = Noted(linear(), signature, "a", 0.01, log)
    rows = {"x": np.zeros((2, 4), np.float32)}
    measure_latency({"a": session}, rows, baseline="a", rounds=1, batches=(5,), clock=lambda: CLOCK[0])
    assert set(log) == {"a5"}


def test_few_rounds_have_no_interval_and_dear_ones_are_fewer(linear: GraphMaker, signature: Signature) -> None:
    sessions = {"a": Session(linear(), signature)}
    rows = {"x": np.zeros((2, 4), np.float32)}
    ticks = iter(range(10**9))  # a second passes between any two looks at the clock

    def measure(rounds: int) -> Latencies:
        return measure_latency(
            sessions,
            rows,
            baseline="a",
            rounds=rounds,
            batches=(1,),
            most_seconds=60,
            clock=lambda: float(next(ticks)),
        )

    assert measure(5).interval == {"a": {}}
    assert [measure(rounds).rounds for rounds in (6, 28, 500)] == [6, 28, 30]


def test_one_thread_is_timed_by_what_it_computed_and_several_by_the_clock_on_the_wall(
    linear: GraphMaker, signature: Signature
) -> None:
    one, two = (Session(linear(), signature, threads=threads) for threads in (1, 2))
    assert clock_of({"one": one}) is time.thread_time
    assert clock_of({"one": one, "two": two}) is time.perf_counter


def test_models_are_loaded_anew_in_another_order_each_time(linear: GraphMaker, signature: Signature) -> None:
    loaded: list[str] = []

    def load(name: str) -> Session:
        loaded.append(name)
        return Session(linear(), signature)

    sessions = {name: Session(linear(), signature) for name in "ab"}
    rows = {"x": np.zeros((2, 4), np.float32)}
    times = measure_latency(sessions, rows, baseline="a", rounds=12, batches=(1,), load=load, loads=6)
    assert "".join(loaded) == "baabbaabba"  # the first load was the caller's
    assert times.interval["b"][1].lower <= times.ratio["b"][1] <= times.interval["b"][1].upper


def test_what_only_the_first_runs_take_makes_no_model_slower(linear: GraphMaker, signature: Signature) -> None:
    class Cold(Noted):
        def run(self, inputs: Tensors) -> Tensors:
            found = super().run(inputs)
            self.seconds = 1e-6
            return found

    CLOCK[0] = 0.0
    log: list[str] = []
    first = Cold(linear(), signature, "a", 1e-2, log)
    sessions = {"a": first, "b": Noted(linear(), signature, "b", 1e-6, log)}
    rows = {"x": np.zeros((3, 4), np.float32)}
    times = measure_latency(sessions, rows, baseline="a", rounds=9, batches=(1,), clock=lambda: CLOCK[0])
    assert log.count("a1") == log.count("b1")
    assert abs(times.ratio["b"][1] - 1) < 0.01
