"""Training losses by kind of task, with their settings as hyperparameters. Importing this imports no framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evertune.errors import TaskError
from evertune.task import Task
from tune.losses.cross_entropy import CrossEntropy
from tune.losses.loss import Loss


def _classification(hp: Any) -> Loss:
    return CrossEntropy(float(hp.Float("label_smoothing", 0.0, 0.1, step=0.05)))


LOSSES: Mapping[str, Callable[[Any], Loss]] = {"classification": _classification}


def choose_loss(hp: Any, task: Task) -> Loss:
    """Adds the hyperparameters of the kind's loss.

    Raises:
        TaskError: No loss is known for `task.kind`.
    """
    if task.kind not in LOSSES:
        raise TaskError(
            f"no training loss is known for kind {task.kind!r}",
            fix=f"Use one of {', '.join(LOSSES)}, or compile the Keras model in Task.build.",
            kind=task.kind,
        )
    return LOSSES[task.kind](hp)


__all__ = ["LOSSES", "Loss", "choose_loss"]
