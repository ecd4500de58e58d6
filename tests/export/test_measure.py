"""Latencies are compared within rounds, so that a busy machine hits all models alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evertune.runtime import Session
from evertune.tensors import Signature, Tensors
from export.measure import LATENCY_BATCHES, measure_latency

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
    ones = [entry[0] for entry in log if entry.endswith("64")][-18:]
    assert ones == list("abbaabbaabbaabbaab")


def test_rows_are_repeated_to_fill_a_batch(linear: GraphMaker, signature: Signature) -> None:
    CLOCK[0] = 0.0
    log: list[str] = []
    session = Noted(linear(), signature, "a", 0.01, log)
    rows = {"x": np.zeros((2, 4), np.float32)}
    measure_latency({"a": session}, rows, baseline="a", rounds=1, batches=(5,), clock=lambda: CLOCK[0])
    assert set(log) == {"a5"}
