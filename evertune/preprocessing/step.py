"""The contract of a step, and the errors that all steps share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

from evertune.errors import InputError
from evertune.preprocessing.column import Column
from evertune.tensors import Array, TensorSpec

_SHOWN = 40  # characters of a bad value


class Step(Protocol):
    """From raw columns to one input of the graph. Steps are frozen dataclasses; equal JSON means an equal step.

    Attributes:
        name: Under which it is written.
    """

    name: ClassVar[str]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The raw columns that it reads."""

    @property
    def spec(self) -> TensorSpec:
        """The graph's input that it makes."""

    def transform(self, values: Mapping[str, Sequence[Any]]) -> Array:
        """One tensor, first axis rows.

        Args:
            values: Its columns, all of one length above zero.

        Raises:
            InputError: Names column and row of the first bad value.
        """

    def to_json(self) -> dict[str, Any]:
        """All that it is, as JSON values."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`; audits before it constructs.

        Raises:
            ValueError: Names what is not allowed. KeyError and TypeError likewise mean malformed data.
        """


def bad_value(column: str, row: int, problem: str, fix: str) -> InputError:
    """The error for one value."""
    return InputError(f"column {column!r}, row {row}: {problem}", fix=fix, column=column, row=row)


def shown(value: Any) -> str:
    """A value, short enough for a message."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def checked_name(value: Any) -> str:
    """A column's or a tensor's name as it comes from JSON.

    Raises:
        ValueError: It is no text, or empty, or too long.
    """
    if not isinstance(value, str) or not 0 < len(value) <= 256:
        raise ValueError(f"{shown(value)} is no name")
    return value
