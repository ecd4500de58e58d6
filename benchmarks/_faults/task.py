"""A perceptron for Fashion-MNIST rows that notes every row it is trained on, in the folder `COUNTS_FOLDER`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples.fashion_mnist.data import training_rows
from examples.fashion_mnist.task import FashionMnist

ROWS = 6_000
"""Of an epoch."""


class Counting(torch.nn.Module):
    """Appends a line with the number of rows for each batch that it is trained on."""

    returns_logits = True

    def __init__(self, units: int, file: str) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(784, units)
        self.last = torch.nn.Linear(units, 10)
        self._file = file

    def forward(self, image: Any) -> Any:
        """Logits of uint8 images, shape (rows, 10)."""
        if self.training:
            with open(self._file, "a") as counts:
                counts.write(f"{len(image)}\n")
        return self.last(torch.relu(self.hidden(image.float().flatten(1) / 255)))


class Counted(Task):
    """See the module."""

    name = "counted"
    labels = FashionMnist.labels
    inputs = (TensorSpec("image", "uint8", (28, 28)),)

    def load(self) -> Splits:
        """Shipped rows."""
        rows = training_rows()
        edges = [(0, ROWS), (ROWS, 7_000), (7_000, 7_500), (7_500, 8_000)]
        return Splits(*[rows.take(slice(*each)) for each in edges])

    def build(self, hp: Any) -> Any:
        """One hidden layer. `mark` tells trials apart."""
        units, mark = hp.Choice("units", [256, 512, 1024]), hp.Float("mark", 0.0, 1.0)
        return Counting(units, str(Path(os.environ["COUNTS_FOLDER"]) / f"{units}-{mark!r}"))
