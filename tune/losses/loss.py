"""What a training loss must offer."""

from __future__ import annotations

from typing import Any, Protocol


class Loss(Protocol):
    """A loss with its settings chosen, for either framework."""

    def keras(self) -> Any:
        """A function of (truth, outputs) for `keras.Model.compile`; one loss a row."""

    def torch(self, *, logits: bool = False) -> Any:
        """A function of (outputs, truth); one loss a row, shape (rows,).

        Args:
            logits: The outputs come before softmax or sigmoid.
        """
