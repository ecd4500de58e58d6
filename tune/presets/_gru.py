"""A gated recurrent unit that both backends compute, and export, as one operator."""

from __future__ import annotations

from functools import cache
from typing import Any


def gru(units: int) -> Any:
    """A layer from (rows, steps, width) to (rows, steps, units), with the weights of `keras.layers.GRU`.

    Keras on torch loops over the steps in Python: about ten times slower to train, and a graph of a thousand nodes.
    """
    import keras

    if keras.config.backend() != "torch":
        return keras.layers.GRU(units, return_sequences=True)
    return _torch_layer()(units)


@cache
def _torch_layer() -> Any:
    import keras
    import torch

    class Gru(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        """`torch.gru` on weights in Keras' order: update, reset, new; torch's is reset, update, new."""

        def __init__(self, units: int, **options: Any) -> None:
            super().__init__(**options)
            self.units = units

        def build(self, shape: tuple[int | None, ...]) -> None:
            columns = 3 * self.units
            self.kernel = self.add_weight((shape[-1], columns), initializer="glorot_uniform")
            self.recurrent_kernel = self.add_weight((self.units, columns), initializer="orthogonal")
            self.bias = self.add_weight((2, columns), initializer="zeros")

        def call(self, x: Any) -> Any:
            kernel, recurrent, bias = (self._reordered(each.value) for each in self.weights)
            weights = [kernel.t().contiguous(), recurrent.t().contiguous(), bias[0], bias[1]]
            start = torch.zeros(1, x.shape[0], self.units, dtype=x.dtype, device=x.device)
            return torch.gru(x, start, weights, True, 1, 0.0, self.trainable, False, True)[0]

        def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
            return (*shape[:-1], self.units)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

        def _reordered(self, weight: Any) -> Any:
            update, reset, new = torch.chunk(weight, 3, dim=-1)
            return torch.cat([reset, update, new], dim=-1)

    return Gru
