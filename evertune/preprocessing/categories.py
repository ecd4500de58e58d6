"""Categories and ids: values of a known set as indices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from evertune.preprocessing.column import Column
from evertune.preprocessing.step import bad_value, checked_name, shown
from evertune.tensors import Array, TensorSpec

_MOST_VALUES = 2_000_000  # of one column: an embedding of that size is no small model any more
_EXAMPLES = 5


@dataclass(frozen=True)
class Categories:
    """Each column's values as indices: 1 and up in the order of its vocabulary, 0 for what is unknown or null.

    Texts, whole numbers and booleans may be values; the number 7 and the text "7" are the same one.

    Attributes:
        names: Columns, in the order of the tensor's last axis.
        vocabularies: Known values of each column, as texts.
        output: Name of the graph's input, int32, shape (columns,).

    Example:
        >>> step = Categories.fit({"user": [7, 7, 3]}, ["user"], output="user")
        >>> step.vocabularies, step.transform({"user": ["7", 3, "new", None]}).tolist()
        ((('7', '3'),), [[1], [2], [0], [0]])
    """

    name: ClassVar[str] = "categories"

    names: tuple[str, ...]
    vocabularies: tuple[tuple[str, ...], ...]
    output: str = "categories"

    def __post_init__(self) -> None:
        if not self.names or len(self.names) != len(self.vocabularies) or len(set(self.names)) != len(self.names):
            raise ValueError(f"columns {self.names} and {len(self.vocabularies)} vocabularies do not fit together")
        for name, vocabulary in zip(self.names, self.vocabularies, strict=True):
            if len(vocabulary) > _MOST_VALUES or len(set(vocabulary)) != len(vocabulary):
                raise ValueError(f"column {name!r} has over {_MOST_VALUES} known values, or one of them twice")

    @classmethod
    def fit(
        cls,
        columns: Mapping[str, Sequence[Any]],
        names: Sequence[str],
        *,
        output: str = "categories",
        min_count: int = 1,
        max_values: int = _MOST_VALUES,
    ) -> Self:
        """Takes the values that occur in training rows, the most frequent first.

        Args:
            columns: Training rows only.
            names: Which of them.
            output: Name of the graph's input.
            min_count: Rarer values are left unknown, so that the model learns what to do with unknown ones.
            max_values: Of a column, at most.
        """
        vocabularies = []
        for name in names:
            keys = (key_of(value, name, row) for row, value in enumerate(columns[name]))
            counts = Counter(key for key in keys if key is not None)
            order = sorted(counts, key=lambda key, counts=counts: (-counts[key], key))  # type: ignore[misc]  # mypy #15459
            vocabularies.append(tuple(key for key in order if counts[key] >= min_count)[:max_values])
        return cls(tuple(names), tuple(vocabularies), output)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of an embedding of each column: its known values and the unknown one."""
        return tuple(len(vocabulary) + 1 for vocabulary in self.vocabularies)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """See `Step`."""
        return tuple(
            Column(name, "category", _describe(vocabulary), vocabulary[0] if vocabulary else "any")
            for name, vocabulary in zip(self.names, self.vocabularies, strict=True)
        )

    @property
    def spec(self) -> TensorSpec:
        """See `Step`."""
        return TensorSpec(self.output, "int32", (len(self.names),))

    def transform(self, values: Mapping[str, Sequence[Any]]) -> Array:
        """See `Step`."""
        found = np.empty((len(values[self.names[0]]), len(self.names)), np.int32)
        for position, name in enumerate(self.names):
            index = self._indices[position]
            found[:, position] = [index.get(key_of(value, name, row), 0) for row, value in enumerate(values[name])]
        return found

    def to_json(self) -> dict[str, Any]:
        """See `Step`."""
        return {"names": list(self.names), "vocabularies": [list(each) for each in self.vocabularies],
                "output": self.output}  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """See `Step`."""
        vocabularies = tuple(tuple(each) for each in data["vocabularies"])
        if not all(isinstance(value, str) for vocabulary in vocabularies for value in vocabulary):
            raise ValueError("a known value is no text")
        return cls(tuple(checked_name(name) for name in data["names"]), vocabularies, checked_name(data["output"]))

    @cached_property
    def _indices(self) -> list[dict[str | None, int]]:
        return [{value: place for place, value in enumerate(each, 1)} for each in self.vocabularies]


def key_of(value: Any, name: str, row: int) -> str | None:
    """The text under which a value is known; None where it is missing.

    Raises:
        InputError: It is neither text nor a whole number.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(value)
    if value is None or (isinstance(value, float) and value != value):
        return None
    raise bad_value(
        name, row, f"{shown(value)} is neither text nor a whole number", "Send text, a whole number or null."
    )


def _describe(vocabulary: tuple[str, ...]) -> str:
    known = ", ".join(vocabulary[:_EXAMPLES]) + (", ..." if len(vocabulary) > _EXAMPLES else "")
    return f"Text or a whole number; {len(vocabulary)} values are known ({known}), others and null count as unknown."
