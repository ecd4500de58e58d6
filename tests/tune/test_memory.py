from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras_tuner
import pytest

from tune.memory import SamplerMemory
from tune.record import State, TrialRecord


def flat() -> list[Any]:
    hps = keras_tuner.HyperParameters()
    hps.Float("x", 0.0, 1.0, default=0.5)
    hps.Choice("word", ["a", "b"])
    return list(hps.space)


def conditional() -> list[Any]:
    hps = keras_tuner.HyperParameters()
    hps.Choice("family", ["cnn", "mlp"])
    with hps.conditional_scope("family", ["mlp"]):
        hps.Int("layers", 1, 8)
        hps.Float("x", 0.0, 1.0)
    with hps.conditional_scope("family", ["cnn"]):
        hps.Float("x", 2.0, 3.0)
    hps.Fixed("version", 1)
    return list(hps.space)


def record(trial_id: str, state: State = "completed", **content: Any) -> TrialRecord:
    return TrialRecord(trial_id, {}, state, **content)


def test_asked_values_are_in_the_space_and_only_active_ones_are_asked_for() -> None:
    memory = SamplerMemory(directions=["maximize"], max_trials=40, seed=0)
    families = set()
    for trial in range(40):
        values = memory.ask(str(trial), conditional())
        families.add(values["family"])
        assert values["version"] == 1
        if values["family"] == "mlp":
            assert set(values) == {"family", "layers", "x", "version"}
            assert 1 <= values["layers"] <= 8
            assert 0 <= values["x"] <= 1
        else:
            assert set(values) == {"family", "x", "version"}
            assert 2 <= values["x"] <= 3
        memory.tell(str(trial), record(str(trial)), [values["x"]])
    assert families == {"cnn", "mlp"}


@pytest.mark.parametrize("space", [flat, conditional])
@pytest.mark.parametrize("directions", [["maximize"], ["minimize"], ["maximize", "minimize"]])
def test_every_way_a_trial_can_end_can_be_told_to_every_sampler(
    space: Callable[[], list[Any]], directions: list[Any]
) -> None:
    memory = SamplerMemory(directions=directions, max_trials=9, seed=0)
    states: list[State] = ["rejected", "failed", "pruned", "completed", "completed", "completed"]
    states += ["rejected", "failed", "pruned"]
    for trial, state in enumerate(states):
        name = str(trial)
        memory.ask(name, space(), uniform=trial == 3)
        rung = 0.3 if state == "pruned" and trial > 5 else None
        objectives = [0.5 + trial / 100] * len(directions) if state == "completed" else None
        memory.tell(name, record(name, state, rung_metric=rung, epochs=1), objectives)
    assert memory.ask("last", space())


def test_wanted_values_are_taken_and_what_is_outside_falls_back_to_defaults() -> None:
    memory = SamplerMemory(directions=["maximize"], max_trials=5, seed=0)
    assert memory.ask_fixed("0", flat(), {"x": 0.25, "word": "b"}) == {"x": 0.25, "word": "b"}
    assert memory.ask_fixed("1", flat(), {"x": 7.0, "word": "b", "gone": 3}) == {"x": 0.5, "word": "b"}
    assert memory.ask_fixed("2", flat(), {"x": "text", "word": 1}) == {"x": 0.5, "word": "a"}
    assert memory.ask_fixed("3", conditional(), {"family": "mlp", "layers": 9}) == {
        "family": "mlp",
        "layers": 1,
        "x": 0.0,
        "version": 1,
    }


def asked_after(
    learning: int, memory: SamplerMemory, outcome: Callable[[float], tuple[TrialRecord, list[float] | None]]
) -> list[float]:
    """Ten values that are asked for after so many trials of learning."""
    asked = []
    for trial in range(learning + 10):
        values = memory.ask(str(trial), flat()[:1])
        asked.append(values["x"])
        found, objectives = outcome(values["x"])
        memory.tell(str(trial), replace(found, trial_id=str(trial)), objectives)
    return asked[learning:]


@pytest.mark.parametrize(("max_trials", "learning"), [(15, 5), (400, 30)], ids=["gaussian process", "parzen"])
@pytest.mark.parametrize("state", ["failed", "pruned"])
def test_where_trials_do_not_complete_is_tried_less(state: State, max_trials: int, learning: int) -> None:
    memory = SamplerMemory(directions=["minimize"], max_trials=max_trials, seed=0)

    def outcome(x: float) -> tuple[TrialRecord, list[float] | None]:
        if x > 0.5:  # a rung metric is an accuracy: tiny, and as a loss it would be the best of all
            return record("", state, rung_metric=0.001 if state == "pruned" else None), None
        return record("", "completed"), [1.0 + x]

    assert sum(x > 0.5 for x in asked_after(learning, memory, outcome)) <= 3


def test_the_sampler_finds_what_is_best() -> None:
    memory = SamplerMemory(directions=["maximize"], max_trials=15, seed=0)
    found = asked_after(5, memory, lambda x: (record(""), [-((x - 0.3) ** 2)]))
    assert min(abs(x - 0.3) for x in found) < 0.02
