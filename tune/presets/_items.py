"""Layers that know every item."""

from __future__ import annotations

from functools import cache
from typing import Any


def item_table(items: int, width: int, *, compares: bool) -> Any:
    """One vector an item: `table(codes)` gives those of codes, counted from one (0: none).

    A table that `compares` has a bias an item, too: `table(x, as_items=False)` gives the score of every item for
    vectors `x`, shape (rows, width), from the same vectors.
    """
    return _classes()[0](items, width, compares)


def pair_scores(items: int, units: int) -> Any:
    """A perceptron of one hidden layer over user and item together: `layer(x)` gives a score for every item.

    The hidden layer of a pair is relu(a(user) + b(item)), so b is a table, and no pair is ever joined.
    """
    return _classes()[1](items, units)


@cache
def _classes() -> tuple[Any, Any]:
    import keras

    class ItemTable(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        """See `item_table`."""

        def __init__(self, items: int, width: int, compares: bool, **options: Any) -> None:
            super().__init__(**options)
            self.items, self.width, self.compares = items, width, compares
            self.vectors = self.add_weight((items + 1, width), initializer="uniform", name="vectors")
            self.bias = self.add_weight((items,), initializer="zeros", name="bias") if compares else None

        def call(self, x: Any, as_items: bool = True) -> Any:
            if as_items:
                return keras.ops.take(self.vectors, x, axis=0)
            return keras.ops.matmul(x, keras.ops.transpose(self.vectors[1:])) + self.bias

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "items": self.items, "width": self.width, "compares": self.compares}

    class PairScores(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        """See `pair_scores`."""

        def __init__(self, items: int, units: int, **options: Any) -> None:
            super().__init__(**options)
            self.items, self.units = items, units

        def build(self, shape: tuple[int | None, ...]) -> None:
            self.user = self.add_weight((shape[-1], self.units), initializer="glorot_uniform", name="user")
            self.item = self.add_weight((self.items, self.units), initializer="uniform", name="item")
            self.bias = self.add_weight((self.units,), initializer="zeros", name="bias")
            self.out = self.add_weight((self.units, 1), initializer="glorot_uniform", name="out")

        def call(self, x: Any) -> Any:
            user = keras.ops.matmul(x, self.user) + self.bias
            hidden = keras.ops.relu(keras.ops.expand_dims(user, 1) + self.item)
            return keras.ops.squeeze(keras.ops.matmul(hidden, self.out), -1)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "items": self.items, "units": self.units}

    return ItemTable, PairScores
