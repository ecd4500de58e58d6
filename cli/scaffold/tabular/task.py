"""What my-model predicts from a row of a table. Replace the parts marked "yours"; the search does the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evertune.labelling import class_indices
from evertune.preprocessing import Numbers, Preprocessor
from evertune.rows import Rows
from evertune.splitting import split, train_rows
from evertune.tables import read_table
from evertune.task import Splits, Task
from tune import presets

TABLE = read_table(Path(__file__).with_name("weather.csv"))  # yours: CSV or Parquet, the oldest rows first
OLDER = {name: values[train_rows(len(values))] for name, values in TABLE.items()}
NUMBERS = [name for name in TABLE if name != "rain"]  # yours: the columns that are learned from
PREPROCESSOR = Preprocessor((Numbers.fit(OLDER, NUMBERS, missing="mean"),))  # and Categories.fit(OLDER, ["city"])


class MyTask(Task):
    """Does it rain on a day with these measurements?"""

    name = "my-model"  # in URLs, metrics and the registry
    labels = ("dry", "rain")  # yours: class names
    inputs = PREPROCESSOR.outputs

    def preprocessor(self) -> Preprocessor:
        """From named columns to tensors, here and in the server."""
        return PREPROCESSOR

    def load(self) -> Splits:
        """The newest rows judge. For a table in no order, shuffle it first."""
        return split(Rows(PREPROCESSOR.transform(TABLE), class_indices(TABLE["rain"], self.labels)))  # yours: target

    def build(self, hp: Any) -> Any:
        """Yours, if you like: any Keras 3 model; `hp.Int`, `hp.Choice` and so on say what shall be searched."""
        return presets.tabular(hp, self)
