"""How many layers, and how many units in each? `python -m examples.walkthroughs.layers_and_units`."""

from __future__ import annotations

from typing import Any

from examples.fashion_mnist.task import FashionMnist
from examples.walkthroughs.classic import network, walk

_MOST_LAYERS = 3


class LayersAndUnits(FashionMnist):
    """Units of a layer are a hyperparameter only where there is that layer."""

    name = "layers-and-units"

    def build(self, hp: Any) -> Any:
        """One to three hidden layers of 32 to 256 units, with Adam."""
        count = hp.Int("layers", 1, _MOST_LAYERS, default=1)
        units = []
        for layer in range(_MOST_LAYERS):
            with hp.conditional_scope("layers", list(range(layer + 1, _MOST_LAYERS + 1))):
                chosen = hp.Int(f"units_{layer + 1}", 32, 256, step=32, default=128)
                units += [chosen] if layer < count else []
        return network(units, "adam")


if __name__ == "__main__":
    walk(__file__, "LayersAndUnits", ["units_1", "layers", "units_2", "units_3"])
