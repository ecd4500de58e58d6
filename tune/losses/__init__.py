"""Training losses by kind of task, with their settings as hyperparameters. Importing this imports no framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evertune.errors import TaskError
from evertune.task import Task
from tune.losses.classification import cross_entropy, focal
from tune.losses.loss import Loss
from tune.losses.multilabel import binary_cross_entropy, binary_focal
from tune.losses.ranking import bpr, sampled_softmax, softmax
from tune.losses.regression import huber, mae, mse

Maker = Callable[[Any, Task], Loss]
"""Makes a loss from `hp`, which it asks for the loss's own settings, and the task."""

LOSSES: Mapping[str, Mapping[str, Maker]] = {
    "classification": {"cross_entropy": cross_entropy, "focal": focal},
    "multilabel": {"binary_cross_entropy": binary_cross_entropy, "binary_focal": binary_focal},
    "regression": {"huber": huber, "mse": mse, "mae": mae},
    "ranking": {"softmax": softmax, "sampled_softmax": sampled_softmax, "bpr": bpr},
}
"""By kind and name; the first of a kind is its default."""


def choose_loss(hp: Any, task: Task) -> Loss:
    """The loss to train with: one of `Task.losses`, or of all of the kind where that is empty.

    Adds the hyperparameters of the loss, and `loss`, which one it is, where there are several.

    Raises:
        TaskError: The kind has no loss of such a name; names those it has.
    """
    known = LOSSES.get(task.kind, {})
    names = task.losses or tuple(known)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise TaskError(
            f"kind {task.kind!r} has no training loss {', '.join(map(repr, unknown))}".rstrip(),
            fix=f"Set losses to some of {', '.join(known)}, or compile the Keras model in Task.build.",
            kind=task.kind,
        )
    if len(names) == 1:
        return known[names[0]](hp, task)
    chosen = hp.Choice("loss", list(names))
    made: dict[str, Loss] = {}
    for name in names:
        with hp.conditional_scope("loss", [name]):
            made[name] = known[name](hp, task)
    return made[chosen]


__all__ = ["LOSSES", "Loss", "choose_loss"]
