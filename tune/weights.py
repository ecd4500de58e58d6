"""Weights and training state as numpy archives: no pickle, written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evertune.files import write_atomic
from evertune.tensors import Array

WEIGHTS = "weights.npz"
"""Of a completed trial, in its folder."""
LOSSES = "losses.npz"
"""Beside it: of each validation row by the trial's artifact. By them trials are compared row by row."""


def values_of(variables: Sequence[Any]) -> list[Array]:
    """Copies of the variables' values, in order."""
    import keras

    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables: Sequence[Any], values: Sequence[Array]) -> bool:
    """Puts values into variables; does nothing and returns False where number or shapes differ."""
    if not fits(variables, values):
        return False
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return True


def fits(variables: Sequence[Any], values: Sequence[Array]) -> bool:
    """Whether there are as many values as variables, of the same shapes."""
    return [tuple(variable.shape) for variable in variables] == [value.shape for value in values]


def save_arrays(path: Path, **groups: Sequence[Array]) -> None:
    """Writes groups of arrays, `name/0000` and so on, to an uncompressed `.npz`."""
    buffer = io.BytesIO()
    named = {f"{group}/{number:04d}": value for group, values in groups.items() for number, value in enumerate(values)}
    np.savez(buffer, allow_pickle=False, **named)
    write_atomic(path, buffer.getvalue())


def load_arrays(path: Path) -> dict[str, list[Array]]:
    """Inverse of `save_arrays`."""
    groups: dict[str, list[Array]] = {}
    with np.load(path, allow_pickle=False) as archive:
        for name in sorted(archive.files):
            groups.setdefault(name.rpartition("/")[0], []).append(archive[name])
    return groups
