"""Which piece of clothing is on a 28x28 grey image?"""

from __future__ import annotations

from typing import Any

from evertune.preprocessing import Image, Preprocessor
from evertune.task import Splits, Task
from examples.fashion_mnist.data import training_rows
from tune import presets

# `image`: uint8, 28 x 28, from files of any size
PREPROCESSOR = Preprocessor((Image("file", height=28, width=28, channels=1, resize="bilinear"),))


class FashionMnist(Task):
    """Ten classes of clothing, from Zalando's images."""

    name = "fashion"
    labels = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    inputs = PREPROCESSOR.outputs

    def preprocessor(self) -> Preprocessor:
        """For clients that send files; others send pixels."""
        return PREPROCESSOR

    def load(self) -> Splits:
        """The shipped 12,000 rows, in the order they were drawn."""
        rows = training_rows()
        return Splits(
            train=rows.take(slice(0, 8_000)),
            validation=rows.take(slice(8_000, 9_500)),
            calibration=rows.take(slice(9_500, 10_000)),
            test=rows.take(slice(10_000, 12_000)),
        )

    def build(self, hp: Any) -> Any:
        """A multilayer perceptron or a small convolutional network; `hp` decides which, and how large."""
        return presets.image(hp, self)
