"""The slices that a task guards, checked."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from evertune.errors import EvertuneError, TaskError
from evertune.task import Task
from evertune.task_errors import explain_in_task
from evertune.tensors import Array, Tensors

# Every guarded slice must pass the gate: with each one more, a good challenger passes less often.
_MOST = 8


def guarded_slices(task: Task, inputs: Tensors) -> dict[str, Array]:
    """Asks the task, and holds it to its contract.

    Args:
        task: Whose `guarded_slices` is asked.
        inputs: Rows as the model takes them.

    Returns:
        bool, shape (rows,), by name.

    Raises:
        TaskError: The method fails; too many slices; a name or mask is malformed; or a row's place in a slice depends
            on the rows beside it, so that the slice would mean something else at the gate.
    """
    masks = _ask(task, inputs)
    count = len(next(iter(inputs.values())))
    if len(masks) > _MOST:
        raise TaskError(f"{len(masks)} guarded slices, {_MOST} at most", fix="Guard the few that matter.")
    for name, mask in masks.items():
        if not isinstance(name, str) or not name or mask.dtype != np.bool_ or mask.shape != (count,):
            raise TaskError(
                f"guarded slice {name!r} has dtype {mask.dtype} and shape {list(mask.shape)}",
                fix=f"Give a name and a boolean mask over the {count} rows.",
            )
    half = (count + 1) // 2
    fewer = _ask(task, {name: value[:half] for name, value in inputs.items()})
    for name, mask in masks.items():
        if name not in fewer or not np.array_equal(fewer[name], mask[:half]):
            raise TaskError(
                f"guarded slice {name!r} holds other rows when fewer are given",
                fix="Decide row by row, by fixed numbers: no means or quantiles of the rows at hand.",
            )
    return masks


def _ask(task: Task, inputs: Tensors) -> dict[str, Array]:
    try:
        return {name: np.asarray(mask) for name, mask in task.guarded_slices(inputs).items()}
    except EvertuneError:
        raise
    except Exception as error:
        file = getattr(sys.modules.get(type(task).__module__), "__file__", None) or type(task).__module__
        raise explain_in_task(error, Path(file), "Task.guarded_slices failed") from error
