"""Is a text message spam? On the 5,171 distinct messages of the SMS Spam Collection."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from evertune.preprocessing import Preprocessor, Text
from evertune.rows import Rows
from evertune.splitting import split, train_rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples._data import read_dataset
from tune import presets

LENGTH = 64  # tokens; one message in fifty is longer


@cache
def messages() -> dict[str, list[Any]]:
    """Each text once, in random order: the file has no times, and a copy must not lie in two splits."""
    columns = read_dataset("sms-spam")
    distinct = list(dict(zip(columns["text"], columns["label"], strict=True)).items())
    order = np.random.default_rng(0).permutation(len(distinct))
    return {"text": [distinct[row][0] for row in order], "label": [distinct[row][1] for row in order]}


@cache
def preprocessor() -> Preprocessor:
    """Its vocabulary is that of the training rows."""
    texts = messages()["text"]
    return Preprocessor((Text.fit({"text": texts[train_rows(len(texts))]}, "text", length=LENGTH),))


class SmsSpam(Task):
    """Ham or spam, from the text alone."""

    name = "sms"
    labels = ("ham", "spam")
    inputs = (TensorSpec("tokens", "int32", (LENGTH,)),)

    def preprocessor(self) -> Preprocessor:
        """From text to tokens, in training and at `/predict`."""
        return preprocessor()

    def load(self) -> Splits:
        """All messages."""
        labels = np.array([self.labels.index(label) for label in messages()["label"]])
        return split(Rows(preprocessor().transform(messages()), labels))

    def build(self, hp: Any) -> Any:
        """Bag of embeddings, convolution or attention."""
        return presets.text(hp, self)
