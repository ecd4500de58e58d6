"""Databases must not be used across a fork: neither SQLite nor PostgreSQL allows it."""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol


class Forgetting(Protocol):
    """What holds connections."""

    engine: Any

    def forget(self) -> None:
        """Drops the connections without closing them."""


_open: weakref.WeakSet[Forgetting] = weakref.WeakSet()
# Closing a parent's SQLite connection in a child would drop the parent's file locks: keep them, unused, to the end.
_inherited: list[Any] = []


def forget_in_children(holder: Forgetting) -> None:
    """From now on, a forked child of this process starts without the connections of `holder`."""
    _open.add(holder)


def _forget_all() -> None:
    for holder in list(_open):
        _inherited.append(holder.engine.pool)
        holder.forget()


os.register_at_fork(after_in_child=_forget_all)
