"""Long `IN` lists in pieces: SQLite and PostgreSQL both limit the parameters of a statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
_SIZE = 500


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Lists of at most 500 items, in order.

    Example:
        >>> [len(batch) for batch in batches(range(1200))]
        [500, 500, 200]
    """
    iterator = iter(items)
    while batch := list(islice(iterator, _SIZE)):
        yield batch
