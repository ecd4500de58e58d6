"""The sampler behind Optuna's study; how it deals with failures is in `test_memory.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest

from benchmarks.tuning_pareto import area
from tune.bayesian import BayesianSampler


def study_of(directions: list[Any], startup: int = 5) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = BayesianSampler(seed=0, startup_trials=startup)
    return optuna.create_study(directions=directions, sampler=sampler)


def grid(trial: optuna.Trial) -> tuple[int, int, str]:
    return trial.suggest_int("a", 0, 9), trial.suggest_int("b", 0, 9), trial.suggest_categorical("c", ["x", "y", "z"])


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_of_300_points_is_found_in_30_trials(direction: str) -> None:
    study = study_of([direction])
    sign = 1 if direction == "minimize" else -1

    def cost(trial: optuna.Trial) -> float:
        a, b, c = grid(trial)
        return float(sign * ((a - 7) ** 2 + 10 ** abs(b - 2) + (50 if c != "y" else 0)))

    study.optimize(cost, 30)
    assert study.best_params == {"a": 7, "b": 2, "c": "y"}


def test_a_model_asks_for_no_point_twice_not_even_while_others_run() -> None:
    study = study_of(["minimize"], startup=3)
    space = {
        "a": optuna.distributions.IntDistribution(0, 4),
        "c": optuna.distributions.CategoricalDistribution(["x", "y"]),
    }
    for value in range(3):
        study.tell(study.ask(space), value)
    startup = {tuple(trial.params.values()) for trial in study.get_trials()}
    running = [tuple(study.ask(space).params.values()) for _ in range(7)]
    assert len(startup.union(running)) == len(startup) + 7


def test_two_objectives_find_more_of_the_front_than_random_points_do() -> None:
    study = study_of(["minimize", "maximize"])

    def costs(trial: optuna.Trial) -> tuple[float, float]:
        a, b, c = grid(trial)
        return a + b + 3 * (c == "x"), np.sqrt(a) + 0.1 * b - (c == "z")

    study.optimize(costs, 25)
    chosen = study.get_trials()
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    study.optimize(costs, 25)
    reference = np.array([22.0, 2.0])
    areas = [
        area(np.array([[trial.values[0], -trial.values[1]] for trial in trials]), reference)
        for trials in (chosen, study.get_trials()[25:])
    ]
    assert areas[0] > areas[1]
    assert areas[0] > 0.98 * area(np.array([[a, -np.sqrt(a)] for a in range(10)]), reference)


def test_the_same_seed_asks_for_the_same_points() -> None:
    asked = []
    for _ in range(2):
        study = study_of(["minimize"], startup=3)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1) ** 2, 6)
        asked.append([trial.params["x"] for trial in study.trials])
    assert asked[0] == asked[1]
