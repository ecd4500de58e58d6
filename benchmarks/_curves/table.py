"""Tables of learning curves: settings that were all trained to the end, once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_LOG_RATIO = 100.0  # a range over more than two powers of ten is searched on a log scale


@dataclass(frozen=True)
class Table:
    """One task.

    Attributes:
        name: Of its file.
        settings: Hyperparameters of each row. A momentum is given by its distance to one, as one searches for it.
        curves: Validation losses, `(rows, epochs + 1)`; the first column is before training. NaN where it diverged.
    """

    name: str
    settings: tuple[Mapping[str, float], ...]
    curves: Array

    @property
    def epochs(self) -> int:
        """Of a whole training."""
        return int(self.curves.shape[1]) - 1

    @cached_property
    def space(self) -> keras_tuner.HyperParameters:
        """Ranges as in the table; logarithmic where they are wide."""
        space = keras_tuner.HyperParameters()
        for name in self.settings[0]:
            values = np.array([each[name] for each in self.settings])
            space.Float(name, float(values.min()), float(values.max()), sampling=_scale(values))
        return space

    @cached_property
    def points(self) -> Array:
        """Rows in the unit cube, `(rows, hyperparameters)`."""
        return np.array([self.point(each) for each in self.settings])

    def point(self, values: Mapping[str, Any]) -> Array:
        """A setting in the unit cube."""
        return np.array([hp.value_to_prob(values[hp.name]) for hp in self.space.space])

    def regret(self, loss: float) -> float:
        """0: the best loss in the table. 1: the median loss at the end of a training."""
        best, median = np.nanmin(self.curves[:, 1:]), np.nanmedian(self.curves[:, -1])
        return float((loss - best) / (median - best))


def _scale(values: Array) -> str:
    return "log" if values.min() > 0 and values.max() / values.min() > _LOG_RATIO else "linear"


def load_tables(folder: Path) -> list[Table]:
    """Every table in a folder, or in its `taskset/`.

    Args:
        folder: Of JSON files (`.json`, `.json.gz`), each a list of `{"hp": {...}, "valid": {"loss": [...]}}`.

    Raises:
        FileNotFoundError: There is none.
    """
    paths = [path for where in (folder, folder / "taskset") for path in sorted(where.glob("*.json*"))]
    tables = [
        Table(path.name.split(".json")[0], *_columns(entries)) for path in paths if _is_table(entries := _read(path))
    ]
    if not tables:
        raise FileNotFoundError(f"{folder} holds no table of learning curves, nor does its folder taskset")
    return tables


def _read(path: Path) -> Any:
    content = path.read_bytes()
    return json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)


def _is_table(entries: Any) -> bool:
    return isinstance(entries, list) and bool(entries) and {"hp", "valid"} <= set(entries[0])


def _columns(entries: Iterable[Mapping[str, Any]]) -> tuple[tuple[Mapping[str, float], ...], Array]:
    entries = list(entries)
    curves = np.array([entry["valid"]["loss"] for entry in entries], float)
    values = {name: np.array([entry["hp"][name] for entry in entries], float) for name in entries[0]["hp"]}
    columns = {name: 1 - each if _is_momentum(each) else each for name, each in values.items()}
    settings = tuple(dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True))
    return settings, np.where(np.isfinite(curves), curves, np.nan)


def _is_momentum(values: Array) -> bool:
    """Whether values crowd below one."""
    return values.min() > 0 and values.max() < 1 and _scale(1 - values) == "log" and float(np.median(values)) > 0.5
