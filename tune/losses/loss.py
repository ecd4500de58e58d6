"""What a training loss must offer."""

from __future__ import annotations

from typing import Any, Protocol

SMALLEST = 1e-7  # of a probability whose logarithm is taken: Keras' own epsilon


class Loss(Protocol):
    """A loss with its settings chosen, for either framework. It is minimised; the bounded loss of the kind is not."""

    def keras(self) -> Any:
        """A function of (truth, outputs) for `keras.Model.compile`; one loss a row, shape (rows,)."""

    def torch(self, *, logits: bool = False) -> Any:
        """A function of (outputs, truth); one loss a row, shape (rows,).

        Args:
            logits: The outputs come before softmax or sigmoid. Means nothing where the kind's output is no probability.
        """


def setting(value: float | None) -> float:
    """A loss's own setting; `hp` gives None where another loss is chosen, and what is made then is not used."""
    return 1.0 if value is None else float(value)
