"""An optimization as a torch optimizer, and its state as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from evertune.tensors import Array
from tune.optimization import Optimization

_RMSPROP_DECAY = 0.9  # Keras' default; torch's own is 0.99


def torch_optimizer(chosen: Optimization, parameters: Sequence[Any]) -> Any:
    """A fresh `torch.optim.Optimizer`."""
    import torch

    rate = chosen.learning_rate
    match chosen.optimizer:
        case "momentum":
            return torch.optim.SGD(parameters, rate, momentum=chosen.momentum, nesterov=True)
        case "sgd":
            return torch.optim.SGD(parameters, rate)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, rate, alpha=_RMSPROP_DECAY)
        case "adagrad":
            return torch.optim.Adagrad(parameters, rate)
    return torch.optim.Adam(parameters, rate)


def decay_weights(parameters: Iterable[Any], ratio: float) -> None:
    """Makes every parameter smaller by `ratio`, before a step. Torch's own optimizers add to the gradient instead."""
    import torch

    with torch.no_grad():
        for parameter in parameters:
            parameter.mul_(1.0 - ratio)


def state_of(optimizer: Any) -> dict[str, list[Array]]:
    """The optimizer's memory of each parameter, by "optimizer:NUMBER:NAME"."""
    return {
        f"optimizer:{number}:{name}": [np.array(value.detach().cpu())]
        for number, content in optimizer.state_dict()["state"].items()
        for name, value in sorted(content.items())
        if value is not None  # momentum that was never used
    }


def restore_state(optimizer: Any, saved: Mapping[str, list[Array]]) -> None:
    """Inverse of `state_of`, for an optimizer of the same kind and parameters."""
    import torch

    state: dict[int, dict[str, Any]] = {}
    for key, values in saved.items():
        group, _, rest = key.partition(":")
        if group == "optimizer":
            number, _, name = rest.partition(":")
            state.setdefault(int(number), {})[name] = torch.from_numpy(np.array(values[0]))
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
