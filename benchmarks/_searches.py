"""Searches on a table, one trial after the other, each through the face that its users have."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks._tables import Costs, Table

Runner = Callable[[Table, int, int], "Search"]
"""From a table, how many trials, and a seed."""

_RESAMPLES = 2000


@dataclass(frozen=True)
class Search:
    """What one search tried.

    Attributes:
        costs: Of each trial in order, shape (trials, objectives).
        cpu_seconds: Of the process, to suggest each trial and to learn from it.
    """

    costs: Costs
    cpu_seconds: npt.NDArray[np.float64]


def through_oracle(make: Callable[[Any, Any], Any], table: Table, trials: int) -> Search:
    """As a KerasTuner tuner drives its oracle: `create_trial`, `update_trial`, `end_trial`.

    Args:
        make: From objectives (one, or a list) and hyperparameters to an oracle.
        table: Where outcomes are looked up.
        trials: How many; fewer where the oracle stops.
    """
    import keras_tuner

    objectives = [keras_tuner.Objective(name, "min") for name in table.objectives]
    costs: list[Costs] = []
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        oracle = make(objectives if len(objectives) > 1 else objectives[0], table.hyperparameters())
        oracle.verbose = 0
        oracle._set_project_dir(folder, "table")  # as every tuner does
        while len(costs) < trials:
            start = time.process_time()
            trial = oracle.create_trial("tuner0")
            suggested = time.process_time() - start
            if trial.status != "RUNNING":
                break
            found = table.look_up(trial.hyperparameters.values)
            start = time.process_time()
            oracle.update_trial(trial.trial_id, _metrics(oracle, table, found))
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
            seconds.append(suggested + time.process_time() - start)
            costs.append(found)
    return Search(np.array(costs), np.array(seconds))


def _metrics(oracle: Any, table: Table, costs: Costs) -> dict[str, float]:
    """With the sum that KerasTuner makes of a list of objectives; its tuners leave adding it to the user."""
    from keras_tuner.src.engine.objective import MultiObjective

    found = dict(zip(table.objectives, map(float, costs), strict=True))
    if isinstance(oracle.objective, MultiObjective):
        return {**found, oracle.objective.name: oracle.objective.get_value(found)}
    return found


def through_optuna(table: Table, trials: int, seed: int) -> Search:
    """Optuna's own default sampler, seeded; ordered hyperparameters are integers, the others categories."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        directions=["minimize"] * len(table.objectives), sampler=optuna.samplers.TPESampler(seed=seed)
    )
    costs: list[Costs] = []
    seconds: list[float] = []
    for _ in range(trials):
        start = time.process_time()
        trial = study.ask()
        values = {name: _suggest(trial, name, choices) for name, choices in table.space.items()}
        suggested = time.process_time() - start
        found = table.look_up(values)
        start = time.process_time()
        study.tell(trial, list(map(float, found)))
        seconds.append(suggested + time.process_time() - start)
        costs.append(found)
    return Search(np.array(costs), np.array(seconds))


def _suggest(trial: Any, name: str, choices: Sequence[Any]) -> Any:
    if isinstance(choices[0], str):
        return trial.suggest_categorical(name, list(choices))
    return choices[trial.suggest_int(name, 0, len(choices) - 1)]


def evertune(table: Table, trials: int, seed: int) -> Search:
    """`StudyOracle` with its defaults."""
    from tune import StudyOracle

    def make(objective: Any, hp: Any) -> Any:
        return StudyOracle(objective, max_trials=trials, hyperparameters=hp, seed=seed)

    return through_oracle(make, table, trials)


def keras_tuner_random(table: Table, trials: int, seed: int) -> Search:
    """KerasTuner's random search; it ignores a seed of 0, and so has one more."""
    import keras_tuner

    def make(objective: Any, hp: Any) -> Any:
        return keras_tuner.oracles.RandomSearchOracle(objective, trials, hyperparameters=hp, seed=seed + 1)

    return through_oracle(make, table, trials)


def keras_tuner_bayesian(table: Table, trials: int, seed: int) -> Search:
    """KerasTuner's Bayesian optimization with its defaults; a list of objectives becomes their sum."""
    import keras_tuner

    def make(objective: Any, hp: Any) -> Any:
        return keras_tuner.oracles.BayesianOptimizationOracle(objective, trials, hyperparameters=hp, seed=seed + 1)

    return through_oracle(make, table, trials)


def interval(values: npt.NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """95% of the mean of all values: seeds are drawn anew within each table (percentile bootstrap).

    Args:
        values: Shape (tables, seeds).
        seed: Of the drawing.
    """
    rng = np.random.default_rng(seed)
    tables, seeds = values.shape
    drawn = rng.integers(seeds, size=(_RESAMPLES, tables, seeds))
    means = np.take_along_axis(values[None], drawn, axis=2).mean(axis=(1, 2))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
