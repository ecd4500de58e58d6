"""Which items my-model recommends to a user. Replace the parts marked "yours"; the search does the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evertune.labelling import class_indices
from evertune.preprocessing import Categories, Preprocessor
from evertune.rows import Rows
from evertune.splitting import split, train_rows
from evertune.tables import read_table
from evertune.task import Splits, Task
from tune import presets

TABLE = read_table(Path(__file__).with_name("interactions.csv"))  # yours: who chose what, the oldest rows first
OLDER = {name: values[train_rows(len(values))] for name, values in TABLE.items()}
ITEMS = Categories.fit(OLDER, ["item"], max_values=5_000).vocabularies[0]
PREPROCESSOR = Preprocessor((Categories.fit(OLDER, ["user"], output="codes", min_count=3),))


class MyTask(Task):
    """What does a user choose next?"""

    name = "my-model"  # in URLs, metrics and the registry
    kind, labels = "ranking", ITEMS
    inputs = PREPROCESSOR.outputs

    def preprocessor(self) -> Preprocessor:
        """From a user's id to a code, here and in the server; 0 for users that are not known."""
        return PREPROCESSOR

    def load(self) -> Splits:
        """The newest choices judge; an item that is not known counts as a miss."""
        return split(Rows(PREPROCESSOR.transform(TABLE), class_indices(TABLE["item"], ITEMS, unknown=-1)))

    def build(self, hp: Any) -> Any:
        """Yours, if you like: any Keras 3 model with one score an item."""
        return presets.recommendation(hp, self)
