"""One bounded loss a row for each kind of task, so that one detector, one gate and one report serve all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evertune.errors import TaskError
from evertune.tensors import Array, Tensors


def row_losses(kind: str, outputs: Tensors, labels: Array) -> npt.NDArray[np.float64]:
    """The loss of each row, in [0, 1].

    Args:
        kind: Of the task. Classification: 1 where the most probable class is not the label, else 0.
        outputs: The model's outputs; `probabilities` has shape (rows, classes).
        labels: int64 class indices, shape (rows,).

    Returns:
        float64, shape (rows,).

    Raises:
        TaskError: No loss is known for `kind`.

    Example:
        >>> row_losses("classification", {"probabilities": np.array([[0.9, 0.1], [0.6, 0.4]])}, np.array([0, 1]))
        array([0., 1.])
    """
    if kind != "classification":
        raise TaskError(f"task kind {kind!r} has no loss", fix="Use 'classification'.", kind=kind)
    wrong: npt.NDArray[np.bool_] = outputs["probabilities"].argmax(axis=1) != labels
    return wrong.astype(np.float64)
