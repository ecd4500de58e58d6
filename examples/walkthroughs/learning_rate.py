"""Which learning rate does a Dense(128)-Dense(10) network want? `python -m examples.walkthroughs.learning_rate`."""

from __future__ import annotations

from typing import Any

from examples.fashion_mnist.task import FashionMnist
from examples.walkthroughs.classic import network, walk


class LearningRate(FashionMnist):
    """One hyperparameter, over four decades."""

    name = "learning-rate"

    def build(self, hp: Any) -> Any:
        """The network with Adam at that rate."""
        import keras

        rate = hp.Float("learning_rate", 1e-5, 1e-1, sampling="log", default=1e-3)
        hp.Fixed("batch_size", 64)
        return network([128], keras.optimizers.Adam(rate))


if __name__ == "__main__":
    walk(__file__, "LearningRate", ["learning_rate"])
