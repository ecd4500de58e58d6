"""Live traffic of a cell: rows that the first search judged on, and labels that turn round half-way."""

from __future__ import annotations

from typing import Any

import numpy as np

from evertune.client import Client
from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.tensors import Array

_REQUEST_ROWS = 50


class Stream:
    """Sends rows through the server, each labelled at once.

    Args:
        client: Of the cell's server.
        task: Whose rows and labels they are.
        rows: To send, in order; begun again at the end.
    """

    def __init__(self, client: Client, task: Any, rows: Rows) -> None:
        self._client, self._task, self._rows = client, task, rows
        self._place = 0
        self.turned = False

    def send(self, count: int) -> float:
        """Sends `count` rows, whole requests; returns their mean score, 1 - bounded loss."""
        losses: list[Array] = []
        for _ in range(0, count, _REQUEST_ROWS):
            chosen = np.arange(self._place, self._place + _REQUEST_ROWS) % len(self._rows)
            part, truth = self._rows.take(chosen), self._truth(self._rows.labels[chosen])
            answer = self._client.infer(self._task.name, part.inputs)
            names = [self._task.labels[index] for index in truth]
            self._client.label_many(zip(answer.ids, names, strict=True))
            losses.append(row_losses(self._task.kind, answer.outputs, truth, self._task.parameters))
            self._place += _REQUEST_ROWS
        return 1.0 - float(np.concatenate(losses).mean())

    def _truth(self, labels: Array) -> Array:
        """After the turn each class is called by the name of the next; in a ranking all choose the rarest item."""
        if not self.turned:
            return labels
        count = len(self._task.labels)
        return np.full_like(labels, count - 1) if self._task.kind == "ranking" else (labels + 1) % count
