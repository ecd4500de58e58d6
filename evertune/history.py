"""What a user chose last, as columns of a table."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable
from typing import Any


def last_items(users: Iterable[Hashable], items: Iterable[Any], names: Iterable[str]) -> dict[str, list[Any]]:
    """The items that the user of each row chose before it, one column each, the newest first; None where there is none.

    Args:
        users: Of each row, the oldest row first.
        items: Chosen in that row: the first column holds that of the user's row before.
        names: Of the columns.

    Example:
        >>> last_items(["ann", "bob", "ann", "ann"], [1, 2, 3, 4], ["last", "before"])
        {'last': [None, None, 1, 3], 'before': [None, None, None, 1]}
    """
    columns: dict[str, list[Any]] = {name: [] for name in names}
    chosen: defaultdict[Hashable, deque[Any]] = defaultdict(lambda: deque(maxlen=len(columns)))
    for user, item in zip(users, items, strict=True):
        before = chosen[user]
        for place, column in enumerate(columns.values()):
            column.append(before[place] if place < len(before) else None)
        before.appendleft(item)
    return columns
