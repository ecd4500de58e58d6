"""Cross entropy and focal loss against class indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evertune.task import Task
from tune.losses.loss import SMALLEST, Loss, setting


def cross_entropy(hp: Any, task: Task) -> Loss:
    """With smoothed targets."""
    return CrossEntropy(setting(hp.Float("label_smoothing", 0.0, 0.1, step=0.05)))


def focal(hp: Any, task: Task) -> Loss:
    """With gamma from 0.5 to 3."""
    return Focal(setting(hp.Float("focal_gamma", 0.5, 3.0, step=0.5, default=2.0)))


@dataclass(frozen=True)
class CrossEntropy:
    """-sum_c t_c log p_c; t is (1 - s) for the class and s / classes for each, s being `label_smoothing`.

    Source: C. Szegedy et al., "Rethinking the inception architecture", CVPR 2016.
    """

    label_smoothing: float = 0.0

    def keras(self) -> Any:
        """See `Loss.keras`. Keras itself smooths one-hot labels only."""
        import keras

        def loss(truth: Any, probabilities: Any) -> Any:
            one_hot = keras.ops.one_hot(keras.ops.reshape(truth, (-1,)), probabilities.shape[-1])
            return keras.losses.categorical_crossentropy(one_hot, probabilities, label_smoothing=self.label_smoothing)

        return loss

    def torch(self, *, logits: bool = False) -> Any:
        """See `Loss.torch`."""
        import torch

        def loss(outputs: Any, truth: Any) -> Any:
            scores = outputs if logits else outputs.clamp(min=SMALLEST).log()  # softmax takes a logarithm back
            return torch.nn.functional.cross_entropy(
                scores, truth.long().reshape(-1), reduction="none", label_smoothing=self.label_smoothing
            )

        return loss


@dataclass(frozen=True)
class Focal:
    """-(1 - p)^gamma log p for the probability p of the class: rows that are right already weigh less.

    Source: T. Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """

    gamma: float

    def keras(self) -> Any:
        """See `Loss.keras`."""
        import keras

        def loss(truth: Any, probabilities: Any) -> Any:
            one_hot = keras.ops.one_hot(keras.ops.reshape(truth, (-1,)), probabilities.shape[-1])
            p = keras.ops.clip(keras.ops.sum(one_hot * probabilities, axis=-1), SMALLEST, 1.0)
            return -((1.0 - p) ** self.gamma) * keras.ops.log(p)

        return loss

    def torch(self, *, logits: bool = False) -> Any:
        """See `Loss.torch`."""

        def loss(outputs: Any, truth: Any) -> Any:
            log_p = outputs.log_softmax(dim=-1) if logits else outputs.clamp(SMALLEST, 1.0).log()
            log_p = log_p.gather(1, truth.long().reshape(-1, 1))[:, 0]
            return -((1.0 - log_p.exp()).clamp(min=0.0) ** self.gamma) * log_p

        return loss
