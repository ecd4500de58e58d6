"""Learning rate, batch size and optimizer together: `python -m examples.walkthroughs.optimizers`."""

from __future__ import annotations

from typing import Any

from evertune.rows import Rows
from examples.fashion_mnist.task import FashionMnist
from examples.walkthroughs.classic import network, walk


class Optimizers(FashionMnist):
    """Gradient descent takes one step an epoch, on all rows; the others one a batch."""

    name = "optimizers"

    def build(self, hp: Any) -> Any:
        """A Dense(128)-Dense(10) network."""
        import keras

        kinds = {
            "gradient descent": keras.optimizers.SGD,
            "SGD": keras.optimizers.SGD,
            "AdaGrad": keras.optimizers.Adagrad,
            "RMSprop": keras.optimizers.RMSprop,
            "Adam": keras.optimizers.Adam,
        }
        name = hp.Choice("optimizer", list(kinds), default="Adam")
        rate = hp.Float("learning_rate", 1e-4, 1e-0, sampling="log", default=1e-2)
        return network([128], kinds[name](rate))

    def fit(self, hp: Any, model: Any, train: Rows, validation: Rows, epochs: int, callbacks: list[Any]) -> None:
        """The batch of gradient descent is all there is; only the others have a size to choose."""
        with hp.conditional_scope("optimizer", ["SGD", "AdaGrad", "RMSprop", "Adam"]):
            size = hp.Choice("batch_size", [16, 64, 256], default=64)
        rows = len(train) if hp.get("optimizer") == "gradient descent" else size
        images = train.inputs["image"]
        model.fit(images, train.labels, batch_size=rows, epochs=epochs, callbacks=callbacks, verbose=0)


if __name__ == "__main__":
    walk(__file__, "Optimizers", ["learning_rate", "optimizer", "batch_size"], trials=12)
