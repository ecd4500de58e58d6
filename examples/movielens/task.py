"""Which film does a user like next? On the 55,375 ratings of four and five stars of MovieLens 100K, in time order."""

from __future__ import annotations

from typing import Any

from evertune.labelling import class_indices
from evertune.preprocessing import Categories, Preprocessor
from evertune.rows import Rows
from evertune.splitting import split, train_rows
from evertune.task import Splits, Task
from examples._data import read_dataset
from tune import presets

LIKED = 4  # stars


def choices() -> dict[str, list[Any]]:
    """Who liked which film, and which one before it: null for a user's first."""
    columns = read_dataset("ml-100k")
    rows = sorted(zip(*(columns[name] for name in ("time", "user", "item", "rating")), strict=True))
    found: dict[str, list[Any]] = {"user": [], "last": [], "item": []}
    last: dict[int, int] = {}
    for _, user, item, rating in rows:
        if rating >= LIKED:
            for name, value in (("user", user), ("last", last.get(user)), ("item", item)):
                found[name].append(value)
            last[user] = item
    return found


CHOICES = choices()
OLDER = {name: values[train_rows(len(values))] for name, values in CHOICES.items()}
ITEMS = Categories.fit(OLDER, ["item"]).vocabularies[0]
PREPROCESSOR = Preprocessor((Categories.fit(OLDER, ["user", "last"], output="codes", min_count=5),))


class MovieLens(Task):
    """Ten films, of all that were liked before."""

    name = "films"
    kind, labels = "ranking", ITEMS
    inputs = PREPROCESSOR.outputs

    def preprocessor(self) -> Preprocessor:
        """From ids to codes; users and films that are rare or new have the code 0."""
        return PREPROCESSOR

    def load(self) -> Splits:
        """The newest choices judge. Most of their users are new: they came when the training rows had ended."""
        return split(Rows(PREPROCESSOR.transform(CHOICES), class_indices(CHOICES["item"], ITEMS, unknown=-1)))

    def build(self, hp: Any) -> Any:
        """Matrix factorisation, or a tower."""
        return presets.recommendation(hp, self)
