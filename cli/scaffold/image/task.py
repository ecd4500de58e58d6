"""What my-model sees on an image. Replace the parts marked "yours"; the search does the rest."""

from __future__ import annotations

from typing import Any

from evertune.preprocessing import Image, Preprocessor
from evertune.splitting import split
from evertune.task import Splits, Task
from examples.fashion_mnist.data import training_rows
from tune import presets

# Yours: how a file becomes pixels. `PREPROCESSOR.transform({"file": [bytes, ...]})` reads your own files likewise.
PREPROCESSOR = Preprocessor((Image("file", height=28, width=28, channels=1, resize="bilinear"),))


class MyTask(Task):
    """Which piece of clothing is on a grey image?"""

    name = "my-model"  # in URLs, metrics and the registry
    labels = (  # yours: class names; their order gives the class indices
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    inputs = PREPROCESSOR.outputs  # `image`, uint8, 28 x 28

    def preprocessor(self) -> Preprocessor:
        """From files to pixels, here and in the server. Clients may send pixels, too."""
        return PREPROCESSOR

    def load(self) -> Splits:
        """The same rows at every call, no row in two splits."""
        return split(training_rows())  # yours: Rows({"image": uint8 array (rows, 28, 28)}, int64 class indices)

    def build(self, hp: Any) -> Any:
        """Yours, if you like: any Keras 3 model; `hp.Int`, `hp.Choice` and so on say what shall be searched."""
        return presets.image(hp, self)
