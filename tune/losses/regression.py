"""Squared, absolute and Huber error, in units of the task's loss scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evertune.task import Task
from tune.losses.loss import Loss, setting


def mse(hp: Any, task: Task) -> Loss:
    """Squared error. In all three, errors are divided by `loss_scale`, so that learning rates fit any target."""
    return Squared(float(task.loss_scale))


def mae(hp: Any, task: Task) -> Loss:
    """Absolute error."""
    return Absolute(float(task.loss_scale))


def huber(hp: Any, task: Task) -> Loss:
    """Squared for small errors, absolute for large ones."""
    return Huber(float(task.loss_scale), setting(hp.Choice("huber_delta", [0.1, 0.3, 1.0], default=0.3)))


@dataclass(frozen=True)
class Squared:
    """(e / scale)^2."""

    scale: float = 1.0

    def keras(self) -> Any:
        """See `Loss.keras`."""
        return lambda truth, value: _keras_error(truth, value, self.scale) ** 2

    def torch(self, *, logits: bool = False) -> Any:
        """See `Loss.torch`."""
        return lambda value, truth: _torch_error(value, truth, self.scale) ** 2


@dataclass(frozen=True)
class Absolute:
    """|e| / scale: the bounded loss of the kind without its bound."""

    scale: float = 1.0

    def keras(self) -> Any:
        """See `Loss.keras`."""
        import keras

        return lambda truth, value: keras.ops.abs(_keras_error(truth, value, self.scale))

    def torch(self, *, logits: bool = False) -> Any:
        """See `Loss.torch`."""
        return lambda value, truth: _torch_error(value, truth, self.scale).abs()


@dataclass(frozen=True)
class Huber:
    """x^2 / 2 where |x| <= delta, else delta (|x| - delta / 2), of x = e / scale.

    Source: P. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964).
    """

    scale: float = 1.0
    delta: float = 1.0

    def keras(self) -> Any:
        """See `Loss.keras`."""
        import keras

        def loss(truth: Any, value: Any) -> Any:
            size = keras.ops.abs(_keras_error(truth, value, self.scale))
            inner = keras.ops.minimum(size, self.delta)
            return inner * (size - inner / 2)

        return loss

    def torch(self, *, logits: bool = False) -> Any:
        """See `Loss.torch`."""

        def loss(value: Any, truth: Any) -> Any:
            size = _torch_error(value, truth, self.scale).abs()
            inner = size.clamp(max=self.delta)
            return inner * (size - inner / 2)

        return loss


def _keras_error(truth: Any, value: Any, scale: float) -> Any:
    import keras

    value = keras.ops.reshape(value, (-1,))
    return (value - keras.ops.cast(keras.ops.reshape(truth, (-1,)), value.dtype)) / scale


def _torch_error(value: Any, truth: Any, scale: float) -> Any:
    return (value.reshape(-1) - truth.to(value.dtype).reshape(-1)) / scale
