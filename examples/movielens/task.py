"""Which film does a user like next? On the 55,375 ratings of four and five stars of MovieLens 100K, in time order."""

from __future__ import annotations

from typing import Any

from evertune.history import last_items
from evertune.labelling import class_indices
from evertune.preprocessing import Categories, Preprocessor
from evertune.rows import Rows
from evertune.splitting import split, train_rows
from evertune.task import Splits, Task
from examples._data import read_dataset
from tune import presets

LIKED = 4  # stars
RECENT = tuple(f"last_{place}" for place in range(1, 9))  # films that the user liked before, the newest first


def choices() -> dict[str, list[Any]]:
    """Who liked which film, and which ones before it: null where there are none."""
    columns = read_dataset("ml-100k")
    rows = sorted(zip(*(columns[name] for name in ("time", "user", "item", "rating")), strict=True))
    liked = [(user, item) for _, user, item, rating in rows if rating >= LIKED]
    users, items = (list(values) for values in zip(*liked, strict=True))
    return {"user": users, "item": items, **last_items(users, items, RECENT)}


CHOICES = choices()
OLDER = {name: values[train_rows(len(values))] for name, values in CHOICES.items()}
ITEMS = Categories.fit(OLDER, ["item"]).vocabularies[0]
USERS = Categories.fit(OLDER, ["user"], output="codes", min_count=5)
PREPROCESSOR = Preprocessor((USERS, Categories(RECENT, (ITEMS,) * len(RECENT), output="history")))


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
        """Two towers, matrix factorisation or neural collaborative filtering."""
        return presets.recommendation(hp, self)
