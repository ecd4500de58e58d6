"""An optimization as a Keras optimizer."""

from __future__ import annotations

from typing import Any

from tune.optimization import FLOOR_RATIO, Optimization


def keras_optimizer(chosen: Optimization) -> Any:
    """A fresh `keras.optimizers.Optimizer`."""
    import keras

    rate, decay = _rate(chosen), chosen.weight_decay or None
    match chosen.optimizer:
        case "adamw":
            return keras.optimizers.AdamW(rate, weight_decay=chosen.weight_decay)
        case "sgd":
            return keras.optimizers.SGD(rate, weight_decay=decay)
        case "momentum":
            return keras.optimizers.SGD(rate, momentum=chosen.momentum, nesterov=True, weight_decay=decay)
        case "rmsprop":
            return keras.optimizers.RMSprop(rate, weight_decay=decay)
        case "adagrad":
            return keras.optimizers.Adagrad(rate, weight_decay=decay)
    return keras.optimizers.Adam(rate, weight_decay=decay)


def _rate(chosen: Optimization) -> Any:
    import keras

    rate, warm_up = chosen.learning_rate, chosen.warm_up_steps
    if chosen.schedule == "constant":
        return rate
    if chosen.schedule == "step":
        boundaries, rates = zip(*chosen.drops, strict=True)
        return keras.optimizers.schedules.PiecewiseConstantDecay(list(boundaries), [rate, *rates])
    return keras.optimizers.schedules.CosineDecay(
        rate if warm_up == 0 else rate * FLOOR_RATIO,
        decay_steps=max(1, chosen.steps - warm_up),
        alpha=FLOOR_RATIO,
        warmup_target=rate if warm_up else None,
        warmup_steps=warm_up,
    )
