"""Ids without a vocabulary: values as buckets of a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from evertune.preprocessing.categories import key_of
from evertune.preprocessing.column import Column
from evertune.preprocessing.step import checked_name
from evertune.tensors import Array, TensorSpec

_MOST_BUCKETS = 2_000_000  # of one column, as of a vocabulary


@dataclass(frozen=True)
class Hashed:
    """Each column's values as one of so many buckets: for ids that are too many or too new for a vocabulary.

    A value's bucket is BLAKE2b of its UTF-8 modulo the number of buckets, and 1; 0 is for null. It is the same in every
    process, and the same for a value that no training row had. Values of one bucket are one to the model. The number 7
    and the text "7" are the same value.

    Attributes:
        names: Columns, in the order of the tensor's last axis.
        buckets: Of each column.
        output: Name of the graph's input, int32, shape (columns,).

    Example:
        >>> Hashed(("user",), (1000,)).transform({"user": ["u-17", "u-18", "u-17", None]}).tolist()
        [[873], [159], [873], [0]]
    """

    name: ClassVar[str] = "hashed"

    names: tuple[str, ...]
    buckets: tuple[int, ...]
    output: str = "hashed"

    def __post_init__(self) -> None:
        if not self.names or len(self.names) != len(self.buckets) or len(set(self.names)) != len(self.names):
            raise ValueError(f"columns {self.names} and numbers of buckets {self.buckets} do not fit together")
        if not all(type(count) is int and 1 <= count <= _MOST_BUCKETS for count in self.buckets):
            raise ValueError(f"numbers of buckets {self.buckets}; allowed are 1 to {_MOST_BUCKETS}")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of an embedding of each column: its buckets and the one of null."""
        return tuple(count + 1 for count in self.buckets)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """See `Step`."""
        return tuple(
            Column(name, "category", f"Text or a whole number, hashed into {count} buckets; null is one more.", "any")
            for name, count in zip(self.names, self.buckets, strict=True)
        )

    @property
    def spec(self) -> TensorSpec:
        """See `Step`."""
        return TensorSpec(self.output, "int32", (len(self.names),))

    def transform(self, values: Mapping[str, Sequence[Any]]) -> Array:
        """See `Step`."""
        found = np.empty((len(values[self.names[0]]), len(self.names)), np.int32)
        for position, (name, count) in enumerate(zip(self.names, self.buckets, strict=True)):
            keys = (key_of(value, name, row) for row, value in enumerate(values[name]))
            found[:, position] = [0 if key is None else 1 + _hash(key) % count for key in keys]
        return found

    def to_json(self) -> dict[str, Any]:
        """See `Step`."""
        return {"names": list(self.names), "buckets": list(self.buckets), "output": self.output}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """See `Step`."""
        names = tuple(checked_name(name) for name in data["names"])
        return cls(names, tuple(data["buckets"]), checked_name(data["output"]))


def _hash(key: str) -> int:
    # A text from JSON may hold half of a surrogate pair, which UTF-8 does not have.
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest())
