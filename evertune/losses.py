"""One bounded loss a row for each kind of task, so that one detector, one gate and one report serve all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evertune.kinds import Parameters, kind_of
from evertune.tensors import Array, Tensors


def row_losses(
    kind: str, outputs: Tensors, labels: Array, parameters: Parameters | None = None
) -> npt.NDArray[np.float64]:
    """The loss of each row, in [0, 1], 0 for a perfect answer. `docs/kinds.md` has the formulas.

    Args:
        kind: Of the task.
        outputs: The model's outputs.
        labels: As `Rows.labels` of that kind.
        parameters: Of the kind; see `Task.parameters`.

    Returns:
        float64, shape (rows,).

    Raises:
        TaskError: There is no such kind.

    Example:
        >>> row_losses("classification", {"probabilities": np.array([[0.9, 0.1], [0.6, 0.4]])}, np.array([0, 1]))
        array([0., 1.])
        >>> row_losses("regression", {"value": np.array([[2.0], [9.0]])}, np.array([1.5, 3.0]), {"loss_scale": 2.0})
        array([0.25, 1.  ])
    """
    return kind_of(kind).row_losses(outputs, labels, {} if parameters is None else parameters)
