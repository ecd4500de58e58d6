"""Which Keras models trace to the same graph."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from evertune.tensors import Signature


def fingerprint(model: Any, signature: Signature) -> str | None:
    """A key that two models share when they differ in their weights only.

    Keras numbers layers on and on ("dense", "dense_1", ...), so names are replaced by their order of appearance. What
    a layer holds beside its configuration and its variables (the mean of an adapted `Normalization`) goes into the key.

    Returns:
        None where the model cannot describe itself (a subclass without `get_config`): its graph is not kept.
    """
    try:
        config = json.loads(model.to_json())
    except Exception:  # a user's get_config may raise anything; then there is no key
        return None
    layers = list(model._flatten_layers())  # the only way to nested layers; public `layers` holds the top ones
    names = {name: f"layer{number}" for number, name in enumerate(dict.fromkeys(layer.name for layer in layers))}
    parts = (
        _canonical(config, names),
        [[list(variable.shape), str(variable.dtype)] for variable in model.variables],
        signature.to_json(),
    )
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for value in _loose_tensors(layers):
        digest.update(str((value.dtype, value.shape)).encode() + value.tobytes())
    return digest.hexdigest()


def _canonical(value: Any, names: dict[str, str]) -> Any:
    """Renames layers where a name stands: under "name", and first in a reference like ["dense", 0, 0]."""
    if isinstance(value, dict):
        return {
            key: names.get(item, item) if key == "name" and isinstance(item, str) else _canonical(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        reference = len(value) == 3 and isinstance(value[0], str) and all(isinstance(item, int) for item in value[1:])
        return [names.get(value[0], value[0]), *value[1:]] if reference else [_canonical(item, names) for item in value]
    return value


def _loose_tensors(layers: list[Any]) -> Iterator[np.ndarray[Any, Any]]:
    import torch

    for layer in layers:
        for value in vars(layer).values():
            if isinstance(value, torch.Tensor):
                yield value.detach().cpu().numpy()
            elif isinstance(value, np.ndarray):
                yield value
