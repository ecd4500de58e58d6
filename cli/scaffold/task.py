"""What my-model predicts, and from what. Replace the parts marked "yours"; the search does the rest."""

from __future__ import annotations

from typing import Any

from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples.fashion_mnist.data import training_rows
from tune import presets


class MyTask(Task):
    """Which piece of clothing is on a grey image?"""

    name = "my-model"  # in URLs, metrics and the registry
    labels = (  # yours: class names; their order gives the class indices
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    inputs = (TensorSpec("image", "uint8", (28, 28)),)  # yours: what clients send, without the batch axis

    def load(self) -> Splits:
        """The same rows at every call, no row in two splits."""
        rows = training_rows()  # yours: Rows({"image": uint8 array (rows, 28, 28)}, int64 class indices)

        def part(start: float, stop: float) -> Rows:
            return rows.take(slice(int(start * len(rows)), int(stop * len(rows))))

        return Splits(train=part(0, 0.7), validation=part(0.7, 0.8), calibration=part(0.8, 0.85), test=part(0.85, 1))

    def build(self, hp: Any) -> Any:
        """Yours, if you like: any Keras 3 model, with `hp.Int`, `hp.Choice` and so on for what shall be searched."""
        return presets.image(hp, self)
