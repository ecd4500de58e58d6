"""Optimizer and learning rate as hyperparameters, the same for every framework that takes steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

SCHEDULES = ("cosine", "constant", "warm_up_cosine")
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "adagrad")
_WARM_UP_RATIO = 0.1  # of all steps
FLOOR_RATIO = 0.05  # of the learning rate, where a schedule ends


@dataclass(frozen=True)
class Optimization:
    """What becomes an optimizer of Keras or torch.

    Attributes:
        optimizer: One of `OPTIMIZERS`. "sgd" without momentum is the classic one.
        learning_rate: At its highest.
        schedule: One of `SCHEDULES`.
        steps: Of the whole training, if it is not stopped: schedules end there.
        weight_decay: Of adamw.
        momentum: Of sgd; Nesterov's where there is any.
    """

    optimizer: str
    learning_rate: float
    schedule: str
    steps: int
    weight_decay: float = 0.0
    momentum: float = 0.0

    @property
    def warm_up_steps(self) -> int:
        """Steps in which the rate rises."""
        return math.ceil(_WARM_UP_RATIO * self.steps) if self.schedule == "warm_up_cosine" else 0

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from zero: what `keras.optimizers.schedules.CosineDecay` gives.

        Example:
            >>> cosine = Optimization("sgd", 1.0, "cosine", steps=100)
            >>> [round(cosine.rate(step), 3) for step in (0, 50, 100, 200)]
            [1.0, 0.525, 0.05, 0.05]
        """
        if self.schedule == "constant":
            return self.learning_rate
        warm_up = self.warm_up_steps
        if step < warm_up:
            return self.learning_rate * (FLOOR_RATIO + (1 - FLOOR_RATIO) * step / warm_up)
        done = min((step - warm_up) / max(1, self.steps - warm_up), 1.0)
        return self.learning_rate * (FLOOR_RATIO + (1 - FLOOR_RATIO) * (1 + math.cos(math.pi * done)) / 2)


def choose_optimization(hp: Any, *, steps: int) -> Optimization:
    """Adds `schedule`, `optimizer`, and each optimizer's own rate and settings.

    Args:
        hp: `keras_tuner.HyperParameters`.
        steps: Of the whole training.
    """
    schedule = hp.Choice("schedule", list(SCHEDULES))
    name = hp.Choice("optimizer", list(OPTIMIZERS))
    found: dict[str, Any] = {}
    with hp.conditional_scope("optimizer", ["adam", "adamw", "rmsprop"]):
        rate = hp.Float("learning_rate", 3e-4, 1e-2, sampling="log", default=2e-3)
        if name in ("adam", "adamw", "rmsprop"):
            found["learning_rate"] = rate
    with hp.conditional_scope("optimizer", ["adamw"]):
        decay = hp.Float("weight_decay", 1e-5, 1e-1, sampling="log", default=4e-3)
        if name == "adamw":
            found["weight_decay"] = decay
    with hp.conditional_scope("optimizer", ["sgd"]):
        rate = hp.Float("sgd_learning_rate", 1e-2, 3e-1, sampling="log", default=1e-1)
        momentum = hp.Choice("sgd_momentum", [0.0, 0.9, 0.95], default=0.9)
        if name == "sgd":
            found.update(learning_rate=rate, momentum=momentum)
    with hp.conditional_scope("optimizer", ["adagrad"]):
        rate = hp.Float("adagrad_learning_rate", 3e-3, 1e-1, sampling="log", default=2e-2)
        if name == "adagrad":
            found["learning_rate"] = rate
    return Optimization(str(name), schedule=str(schedule), steps=steps, **found)
