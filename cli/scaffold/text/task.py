"""What my-model says of a text. Replace the parts marked "yours"; the search does the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evertune.labelling import class_indices
from evertune.preprocessing import Preprocessor, Text
from evertune.rows import Rows
from evertune.splitting import split, train_rows
from evertune.tables import read_table
from evertune.task import Splits, Task
from tune import presets

# Yours: a CSV or Parquet file with columns "text" and "label", the oldest rows first.
TABLE = read_table(Path(__file__).with_name("messages.csv"), texts=["text"])
TRAINING_TEXTS = {"text": TABLE["text"][train_rows(len(TABLE["text"]))]}
PREPROCESSOR = Preprocessor((Text.fit(TRAINING_TEXTS, "text", length=64),))  # yours: how many tokens count


class MyTask(Task):
    """Is a text message spam?"""

    name = "my-model"  # in URLs, metrics and the registry
    labels = ("ham", "spam")  # yours: class names
    inputs = PREPROCESSOR.outputs

    def preprocessor(self) -> Preprocessor:
        """From text to tokens, here and in the server."""
        return PREPROCESSOR

    def load(self) -> Splits:
        """The newest rows judge. For a file in no order, shuffle it first."""
        return split(Rows(PREPROCESSOR.transform(TABLE), class_indices(TABLE["label"], self.labels)))

    def build(self, hp: Any) -> Any:
        """Yours, if you like: any Keras 3 model; `hp.Int`, `hp.Choice` and so on say what shall be searched."""
        return presets.text(hp, self)
