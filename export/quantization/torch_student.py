"""Torch modules and Keras models on torch, fine-tuned for INT8."""

from __future__ import annotations

from typing import Any

from evertune.tensors import Tensors
from export.converters.forward import TorchForward
from export.quantization.fake_torch import rounding
from export.quantization.ranges import Ranges
from export.quantization.student import FLOOR, LEARNING_RATE


class TorchStudent:
    """See `Student`."""

    def __init__(self, forward: TorchForward) -> None:
        self._forward = forward
        self._ranges = Ranges()
        self._weights = [each for each in forward.variables() if each.requires_grad and each.is_floating_point()]
        self._optimizer: Any = None

    def weights(self) -> Any:
        """See `Student.weights`."""
        return [value.detach().clone() for value in self._weights]

    def restore(self, weights: Any) -> None:
        """See `Student.restore`."""
        import torch

        with torch.no_grad():
            for value, kept in zip(self._weights, weights, strict=True):
                value.copy_(kept)
                value.grad = None

    def answer(self, batch: Tensors) -> Any:
        """See `Student.answer`."""
        import torch

        with torch.no_grad():
            return self._outputs(batch)

    def observe(self, batch: Tensors) -> None:
        """See `Student.observe`."""
        import torch

        with torch.no_grad(), rounding(self._ranges, observe=True):
            self._outputs(batch)

    def step(self, batch: Tensors, wanted: Any, share: float) -> None:
        """See `Student.step`."""
        import torch

        self._optimizer = self._optimizer or torch.optim.Adam(self._weights)
        for group in self._optimizer.param_groups:
            group["lr"] = LEARNING_RATE * share
        with rounding(self._ranges, observe=False):
            found = self._outputs(batch)
        names = [spec.name for spec in self._forward.signature.outputs]
        losses = [_distance(*each) for each in zip(names, found, wanted, strict=True) if each[1].is_floating_point()]
        self._optimizer.zero_grad()
        sum(losses).backward()
        self._optimizer.step()

    def _outputs(self, batch: Tensors) -> tuple[Any, ...]:
        forward = self._forward
        return forward.outputs(*(forward.tensor(batch[spec.name]) for spec in forward.signature.inputs))


def _distance(name: str, found: Any, wanted: Any) -> Any:
    if name != "probabilities":
        return ((found - wanted) ** 2).mean() / wanted.var().clamp(min=FLOOR)
    found = found.clamp(FLOOR, 1 - FLOOR)
    return -(wanted * found.log() + (1 - wanted) * (1 - found).log()).sum(dim=-1).mean()
