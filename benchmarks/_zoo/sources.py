"""What the framework itself answers, called in its plainest way."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._zoo.entry import Entry
from benchmarks._zoo.judge import Answers
from evertune.tensors import Array, Tensors


def sources_of(model: Any, entry: Entry, group: str) -> tuple[Answers, ...]:
    """One, and for a Keras model of mixed precision also the same weights computed with in float32."""
    if group == "sklearn":
        return (lambda batch: [_of_estimator(model, entry, batch)],)
    if group == "torch":
        return (lambda batch: _of_module(model, batch),)
    twins = [_in_float32(model)] if any("float16" in str(layer.dtype_policy.name) for layer in model.layers) else []
    return tuple((lambda batch, each=each: _of_keras(each, batch)) for each in (model, *twins))


def _of_keras(model: Any, batch: Tensors) -> list[Array]:
    import keras

    given = list(batch.values())
    found = model(given[0] if len(given) == 1 else given, training=False)
    return [_float32(keras.ops.convert_to_numpy(each)) for each in (found if isinstance(found, list) else [found])]


def _in_float32(model: Any) -> Any:
    import keras

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        return type(layer).from_config({**config, "dtype": "float32"}) if "dtype" in config else layer

    twin = keras.models.clone_model(model, clone_function=clone)
    for mine, theirs in zip(twin.variables, model.variables, strict=True):
        mine.assign(theirs.value)
    return twin


def _of_module(model: Any, batch: Tensors) -> list[Array]:
    import torch

    model.eval()
    with torch.no_grad():
        found = model(*(torch.from_numpy(value.copy()) for value in batch.values()))
    return [each.numpy() for each in (found if isinstance(found, tuple) else (found,))]


def _of_estimator(model: Any, entry: Entry, batch: Tensors) -> Array:
    columns = np.concatenate([value.reshape(len(value), -1).astype(np.float32) for value in batch.values()], axis=1)
    if entry.kind == "regression":
        return np.asarray(model.predict(columns), np.float32).reshape(-1, 1)
    found = model.predict_proba(columns)
    return np.stack([each[:, 1] for each in found], axis=1) if isinstance(found, list) else np.asarray(found)


def _float32(value: Any) -> Array:
    return np.asarray(value, np.float32)
