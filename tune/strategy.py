"""Training strategy as hyperparameters: batch size, optimizer, schedule, regularisation, augmentation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from evertune.task import Task
from tune.augment import AUGMENTATIONS, applies_to
from tune.losses import choose_loss

_WARM_UP_RATIO = 0.1  # of all steps
_FLOOR_RATIO = 0.05  # of the learning rate, where a schedule ends


@dataclass(frozen=True)
class Strategy:
    """What the training loop needs beside a compiled model."""

    batch_size: int
    augmentation: str


def choose_strategy(hp: Any, task: Task) -> Strategy:
    """Adds `batch_size`, and `augmentation` where the input is an image. What the task declared itself stays."""
    batch_size = hp.Choice("batch_size", [32, 64, 128, 256], default=64)
    augmentation = "none"
    if applies_to(task.inputs):
        augmentation = hp.Choice("augmentation", list(AUGMENTATIONS))
    return Strategy(int(batch_size), str(augmentation))


def compile_model(hp: Any, model: Any, task: Task, *, steps: int) -> None:
    """Compiles a model, unless the task did: then its own choices hold.

    Adds `optimizer`, its learning rate and own settings, `schedule`, and what the losses of the task's kind ask for.

    Args:
        hp: `keras_tuner.HyperParameters`.
        model: Keras model that gives the output of the task's kind.
        task: Its kind decides the loss.
        steps: Of the whole training, if it is not stopped: schedules end there.
    """
    if model.compiled:
        return
    optimizer = _optimizer(hp, hp.Choice("schedule", ["cosine", "constant", "warm_up_cosine"]), steps)
    model.compile(optimizer=optimizer, loss=choose_loss(hp, task).keras())


def _optimizer(hp: Any, schedule: str, steps: int) -> Any:
    import keras

    name = hp.Choice("optimizer", ["adam", "adamw", "sgd"])
    optimizer: Any = None
    with hp.conditional_scope("optimizer", ["adam", "adamw"]):
        rate = hp.Float("learning_rate", 3e-4, 1e-2, sampling="log", default=2e-3)
        if name == "adam":
            optimizer = keras.optimizers.Adam(_schedule(schedule, rate, steps))
    with hp.conditional_scope("optimizer", ["adamw"]):
        decay = hp.Float("weight_decay", 1e-5, 1e-1, sampling="log", default=4e-3)
        if name == "adamw":
            optimizer = keras.optimizers.AdamW(_schedule(schedule, rate, steps), weight_decay=decay)
    with hp.conditional_scope("optimizer", ["sgd"]):
        sgd_rate = hp.Float("sgd_learning_rate", 1e-2, 3e-1, sampling="log", default=1e-1)
        momentum = hp.Choice("sgd_momentum", [0.0, 0.9, 0.95], default=0.9)
        if name == "sgd":
            optimizer = keras.optimizers.SGD(
                _schedule(schedule, sgd_rate, steps), momentum=momentum, nesterov=momentum > 0
            )
    return optimizer


def _schedule(name: str, rate: float, steps: int) -> Any:
    import keras

    if name == "constant":
        return rate
    warm_up = math.ceil(_WARM_UP_RATIO * steps) if name == "warm_up_cosine" else 0
    return keras.optimizers.schedules.CosineDecay(
        rate if warm_up == 0 else rate * _FLOOR_RATIO,
        decay_steps=max(1, steps - warm_up),
        alpha=_FLOOR_RATIO,
        warmup_target=rate if warm_up else None,
        warmup_steps=warm_up,
    )
