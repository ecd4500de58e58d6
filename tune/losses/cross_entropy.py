"""Cross entropy against class indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_SMALLEST = 1e-7  # of a probability: Keras' own epsilon


@dataclass(frozen=True)
class CrossEntropy:
    """Cross entropy, its target smoothed: Keras smooths one-hot labels only."""

    label_smoothing: float

    def keras(self) -> Any:
        """See `Loss.keras`."""
        import keras

        def loss(truth: Any, probabilities: Any) -> Any:
            one_hot = keras.ops.one_hot(keras.ops.reshape(truth, (-1,)), probabilities.shape[-1])
            return keras.losses.categorical_crossentropy(one_hot, probabilities, label_smoothing=self.label_smoothing)

        return loss

    def torch(self, *, logits: bool = False) -> Any:
        """See `Loss.torch`."""
        import torch

        def loss(outputs: Any, truth: Any) -> Any:
            scores = outputs if logits else outputs.clamp(min=_SMALLEST).log()  # softmax takes a logarithm back
            return torch.nn.functional.cross_entropy(
                scores, truth.long().reshape(-1), reduction="none", label_smoothing=self.label_smoothing
            )

        return loss
