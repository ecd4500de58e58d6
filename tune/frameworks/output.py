"""The error of a model whose output is not the declared one."""

from __future__ import annotations

from evertune.errors import TaskError
from evertune.task import Task


def wrong_output(task: Task, shape: object, fix: str) -> TaskError:
    """For a model that gives `shape`, batch axis included."""
    spec = task.signature.outputs[0]
    classes = task.kind == "classification"
    wanted = f"{len(task.labels)} classes" if classes else f"the output {spec.name!r} of shape {list(spec.shape)}"
    return TaskError(
        f"{type(task).__name__}.build returned a model with output {shape}, but the task has {wanted}",
        fix=fix,
        shape=str(shape),
    )
