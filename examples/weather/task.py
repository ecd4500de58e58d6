"""Will it rain? From a day's measurements at Bellevue, Nebraska: 18,159 days of NOAA data, in time order."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from evertune.preprocessing import Numbers, Preprocessor
from evertune.rows import Rows
from evertune.splitting import split, train_rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples._data import read_dataset
from tune import presets

MEASURED = ("temperature", "dew_point", "sea_level_pressure", "visibility", "wind_speed", "max_wind_speed",
            "min_temperature", "max_temperature")  # fmt: skip


@cache
def days() -> dict[str, list[Any]]:
    """By column; the rows are in time order, fifty years of them."""
    return read_dataset("noaa-weather")


@cache
def preprocessor() -> Preprocessor:
    """Its statistics are those of the training rows, the older ones."""
    older = {name: days()[name][train_rows(len(days()["rain"]))] for name in MEASURED}
    return Preprocessor((Numbers.fit(older, MEASURED, output="measured", missing="mean"),))


class Weather(Task):
    """Rain or none."""

    name = "weather"
    labels = ("dry", "rain")
    inputs = (TensorSpec("measured", "float32", (len(MEASURED),)),)

    def preprocessor(self) -> Preprocessor:
        """From named measurements to one tensor."""
        return preprocessor()

    def load(self) -> Splits:
        """The newest days judge."""
        return split(Rows(preprocessor().transform(days()), np.array(days()["rain"])))

    def build(self, hp: Any) -> Any:
        """A multilayer perceptron."""
        return presets.tabular(hp, self)
