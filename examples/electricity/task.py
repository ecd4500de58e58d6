"""Does the price of electricity go up? New South Wales 1996 to 1998, 45,312 half hours in time order: Elec2."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from evertune.preprocessing import Categories, Numbers, Preprocessor
from evertune.rows import Rows
from evertune.splitting import split, train_rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples._data import read_dataset
from tune import presets

NUMBERS = ("nsw_price", "nsw_demand", "vic_price", "vic_demand", "transfer")


@cache
def market() -> dict[str, list[Any]]:
    """By column. The time of day becomes a name such as "17:30": half past five is no larger than nine."""
    columns = read_dataset("elec2")
    halves = [round(47 * period) for period in columns.pop("period")]
    return {**columns, "time": [f"{half // 2:02}:{half % 2 * 30:02}" for half in halves]}


@cache
def preprocessor() -> Preprocessor:
    """Fitted on the training rows, the older ones."""
    older = {name: values[train_rows(len(values))] for name, values in market().items()}
    return Preprocessor((Numbers.fit(older, NUMBERS), Categories.fit(older, ("time",))))


class Electricity(Task):
    """Up or down, against the mean of the last 24 hours."""

    name = "electricity"
    labels = ("down", "up")
    inputs = (TensorSpec("numbers", "float32", (len(NUMBERS),)), TensorSpec("categories", "int32", (1,)))

    def preprocessor(self) -> Preprocessor:
        """Numbers as they are, times of day as indices."""
        return preprocessor()

    def load(self) -> Splits:
        """The newest half hours judge."""
        return split(Rows(preprocessor().transform(market()), np.array(market()["up"])))

    def build(self, hp: Any) -> Any:
        """A multilayer perceptron; each time of day has an embedding."""
        return presets.tabular(hp, self)
