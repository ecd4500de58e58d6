"""Optimizer and learning rate as hyperparameters, the same for every framework that takes steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

SCHEDULES = ("cosine", "constant", "step", "warm_up_cosine")
OPTIMIZERS = ("adam", "adamw", "momentum", "sgd", "rmsprop", "adagrad")
_WARM_UP_RATIO = 0.1  # of all steps
_DROPS = ((0.75, 0.01), (0.5, 0.1))  # from that part of all steps on, that part of the learning rate
FLOOR_RATIO = 0.05  # of the learning rate, where a schedule ends


@dataclass(frozen=True)
class Optimization:
    """What becomes an optimizer of Keras or torch.

    Attributes:
        optimizer: One of `OPTIMIZERS`. "sgd" is the classic one, "momentum" the same with Nesterov's momentum.
        learning_rate: At its highest.
        schedule: One of `SCHEDULES`.
        steps: Of the whole training, if it is not stopped: schedules end there.
        weight_decay: Each step first takes this part of rate times weight away from every weight, whatever the
            optimizer: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
        momentum: Of "momentum".
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

    @property
    def drops(self) -> tuple[tuple[int, float], ...]:
        """Last step of a rate, and the rate after it, of the schedule "step", the first one first."""
        return tuple((int(part * self.steps), rate * self.learning_rate) for part, rate in reversed(_DROPS))

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from zero: what the schedules of Keras give.

        Example:
            >>> cosine = Optimization("sgd", 1.0, "cosine", steps=100)
            >>> [round(cosine.rate(step), 3) for step in (0, 50, 100, 200)]
            [1.0, 0.525, 0.05, 0.05]
        """
        if self.schedule == "constant":
            return self.learning_rate
        if self.schedule == "step":
            return next((rate for last, rate in reversed(self.drops) if step > last), self.learning_rate)
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
    for users, settings in _SETTINGS:
        with hp.conditional_scope("optimizer", users):
            for setting, (prefix, low, high, default) in settings.items():
                value = hp.Float(prefix + setting, low, high, sampling="log", default=default)
                if name in users:
                    found[setting] = value
    with hp.conditional_scope("optimizer", ["momentum"]):
        momentum = hp.Choice("momentum", [0.8, 0.9, 0.95, 0.98], default=0.9)
        if name == "momentum":
            found["momentum"] = momentum
    return Optimization(str(name), schedule=str(schedule), steps=steps, **found)


_SETTINGS: tuple[tuple[list[str], dict[str, tuple[str, float, float, float]]], ...] = (
    (["adam", "adamw", "rmsprop"], {"learning_rate": ("", 3e-4, 1e-2, 2e-3)}),
    (["adamw", "rmsprop"], {"weight_decay": ("", 1e-5, 1e-1, 4e-3)}),
    (["momentum"], {"learning_rate": ("momentum_", 3e-3, 3e-1, 3e-2)}),
    (["sgd"], {"learning_rate": ("sgd_", 1e-2, 1.0, 1e-1)}),
    (["momentum", "sgd"], {"weight_decay": ("sgd_", 1e-6, 1e-2, 1e-4)}),
    (["adagrad"], {"learning_rate": ("adagrad_", 3e-3, 1e-1, 2e-2)}),
)
"""Optimizers, and their settings: prefix of the name, lowest, highest, default."""
