"""Binary cross entropy and binary focal loss, the mean over labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evertune.task import Task
from tune.losses.loss import SMALLEST, Loss, setting


def binary_cross_entropy(hp: Any, task: Task) -> Loss:
    """With smoothed targets."""
    return Binary(label_smoothing=setting(hp.Float("label_smoothing", 0.0, 0.1, step=0.05)))


def binary_focal(hp: Any, task: Task) -> Loss:
    """With gamma from 0.5 to 3."""
    return Binary(gamma=setting(hp.Float("focal_gamma", 0.5, 3.0, step=0.5, default=2.0)))


@dataclass(frozen=True)
class Binary:
    """-t (1 - p)^gamma log p - (1 - t) p^gamma log(1 - p), the mean over labels; gamma = 0 is cross entropy.

    Targets t are smoothed to (1 - s) t + s / 2. Source of the focal form: T. Lin et al., ICCV 2017.
    """

    label_smoothing: float = 0.0
    gamma: float = 0.0

    def keras(self) -> Any:
        """See `Loss.keras`."""
        import keras

        def loss(truth: Any, probabilities: Any) -> Any:
            p = keras.ops.clip(probabilities, SMALLEST, 1.0 - SMALLEST)
            t = self._smooth(keras.ops.cast(truth, p.dtype))
            terms = t * (1.0 - p) ** self.gamma * keras.ops.log(p)
            terms = terms + (1.0 - t) * p**self.gamma * keras.ops.log(1.0 - p)
            return -keras.ops.mean(terms, axis=-1)

        return loss

    def torch(self, *, logits: bool = False) -> Any:
        """See `Loss.torch`."""
        import torch

        def loss(outputs: Any, truth: Any) -> Any:
            t = self._smooth(truth.to(outputs.dtype))
            if logits:
                yes, no = torch.nn.functional.logsigmoid(outputs), torch.nn.functional.logsigmoid(-outputs)
            else:
                p = outputs.clamp(SMALLEST, 1.0 - SMALLEST)
                yes, no = p.log(), (1.0 - p).log()
            terms = t * (self.gamma * no).exp() * yes + (1.0 - t) * (self.gamma * yes).exp() * no
            return -terms.mean(dim=-1)

        return loss

    def _smooth(self, truth: Any) -> Any:
        return (1.0 - self.label_smoothing) * truth + 0.5 * self.label_smoothing
