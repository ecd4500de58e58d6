"""Class names and item ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evertune.errors import InputError

_SHOWN = 20


def name_problems(labels: Any, fewest: int, what: str) -> list[tuple[str, str]]:
    """Whether `labels` is a tuple of at least `fewest` different names."""
    if not isinstance(labels, tuple) or not all(isinstance(label, str) for label in labels):
        return [(f"has labels {labels!r}", f"Give a tuple of {what}.")]
    if len(labels) < fewest or len(set(labels)) != len(labels):
        number = {1: "one", 2: "two"}[fewest]
        return [(f"has labels {_short(labels)}", f"Give at least {number} {what}, all different.")]
    return []


def index_of(value: Any, labels: Sequence[str]) -> int | None:
    """The index that a name or an index means; None where it means nothing. `True` is no index."""
    if isinstance(value, str):
        try:
            return labels.index(value)
        except ValueError:
            return None
    return value if type(value) is int and 0 <= value < len(labels) else None


def no_label(value: Any, what: str, fix: str) -> InputError:
    """The error for a label that is none."""
    return InputError(f"label {str(value)[:80]!r} is no {what} of the model", fix=fix)


def some(labels: Sequence[str]) -> list[str]:
    """The first names, for a message."""
    return [*labels[:_SHOWN], "..."] if len(labels) > _SHOWN else list(labels)


def _short(labels: tuple[str, ...]) -> str:
    return repr(labels) if len(labels) <= _SHOWN else f"({', '.join(map(repr, labels[:_SHOWN]))}, ...)"
