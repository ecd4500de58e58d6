"""Numbers: several columns as one float32 tensor."""

from __future__ import annotations

import array
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np

from evertune.preprocessing.column import Column
from evertune.preprocessing.step import bad_value, checked_name, shown
from evertune.tensors import Array, TensorSpec

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Numbers:
    """Numeric columns, not scaled: the graph does that, with the statistics that this step carries for it.

    Attributes:
        names: Columns, in the order of the tensor's last axis.
        fill: Stands for a missing value (null or NaN), one a column; None: missing values are refused.
        mean: Of the training rows, for a normalisation layer inside the graph.
        deviation: Standard deviation likewise; 1 for a constant column.
        output: Name of the graph's input, float32, shape (columns,).

    Example:
        >>> step = Numbers.fit({"wind": [1.0, None, 3.0]}, ["wind"], missing="mean")
        >>> step.transform({"wind": [4, None]}).tolist()
        [[4.0], [2.0]]
    """

    name: ClassVar[str] = "numbers"

    names: tuple[str, ...]
    fill: tuple[float | None, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    output: str = "numbers"

    def __post_init__(self) -> None:
        lengths = {len(self.names), len(self.fill), len(self.mean), len(self.deviation)}
        if not self.names or len(lengths) != 1 or len(set(self.names)) != len(self.names):
            raise ValueError(f"columns {self.names}, their fill values and statistics do not fit together")
        figures = [*self.mean, *self.deviation, *(value for value in self.fill if value is not None)]
        if not all(abs(value) <= _LARGEST for value in figures) or min(self.deviation) <= 0:
            raise ValueError(f"a fill value, mean or deviation of {self.names} is out of range")

    @classmethod
    def fit(
        cls,
        columns: Mapping[str, Sequence[Any]],
        names: Sequence[str],
        *,
        output: str = "numbers",
        missing: Literal["refuse", "mean"] = "refuse",
    ) -> Self:
        """Takes the statistics of training rows.

        Args:
            columns: Training rows only.
            names: Which of them.
            output: Name of the graph's input.
            missing: What becomes of a missing value: refused, or replaced by the column's mean.
        """
        values = [_column(columns[name], name) for name in names]
        mean = [float(np.nanmean(value)) if not np.isnan(value).all() else 0.0 for value in values]
        deviation = [float(np.nanstd(value)) if not np.isnan(value).all() else 0.0 for value in values]
        fill = tuple(mean) if missing == "mean" else (None,) * len(names)
        return cls(tuple(names), fill, tuple(mean), tuple(each or 1.0 for each in deviation), output)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """See `Step`."""
        return tuple(
            Column(
                name,
                "number",
                "A number." if fill is None else f"A number; null where it is not known ({fill:.4g} stands in then).",
                float(f"{mean:.4g}"),
            )
            for name, fill, mean in zip(self.names, self.fill, self.mean, strict=True)
        )

    @property
    def spec(self) -> TensorSpec:
        """See `Step`."""
        return TensorSpec(self.output, "float32", (len(self.names),))

    def transform(self, values: Mapping[str, Sequence[Any]]) -> Array:
        """See `Step`."""
        found = [self._filled(values[name], name, fill) for name, fill in zip(self.names, self.fill, strict=True)]
        return np.stack(found, axis=1).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """See `Step`."""
        return {
            "names": list(self.names),
            "fill": list(self.fill),
            "mean": list(self.mean),
            "deviation": list(self.deviation),
            "output": self.output,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """See `Step`."""
        return cls(
            tuple(checked_name(name) for name in data["names"]),
            tuple(None if value is None else float(value) for value in data["fill"]),
            tuple(float(value) for value in data["mean"]),
            tuple(float(value) for value in data["deviation"]),
            checked_name(data["output"]),
        )

    def _filled(self, values: Sequence[Any], name: str, fill: float | None) -> Array:
        found = _column(values, name)
        missing = np.isnan(found)
        if not missing.any():
            return found
        if fill is None:
            row = int(missing.argmax())
            raise bad_value(
                name, row, "the value is missing", "Send a number; this model takes no missing values here."
            )
        return np.where(missing, fill, found)


def _column(values: Sequence[Any], name: str) -> Array:
    """float64, NaN where a value is missing."""
    try:
        found = np.frombuffer(array.array("d", values), np.float64)  # strict, and the quickest way for many
    except (TypeError, ValueError, OverflowError):
        found = np.array([_number(value, name, row) for row, value in enumerate(values)], np.float64)
    if bool in map(type, values):
        row = [type(value) for value in values].index(bool)
        raise bad_value(name, row, f"{values[row]} is no number", "Send numbers; 0 and 1 for no and yes.")
    large = np.abs(np.nan_to_num(found, nan=0.0, posinf=math.inf)) > _LARGEST
    if large.any():
        row = int(large.argmax())
        raise bad_value(name, row, f"{shown(values[row])} is too large for float32", "Send finite numbers.")
    return found


def _number(value: Any, name: str, row: int) -> float:
    if value is None:
        return math.nan
    if isinstance(value, int | float | np.number):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    raise bad_value(name, row, f"{shown(value)} is no number", "Send numbers, or null for what is missing.")
