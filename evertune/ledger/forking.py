"""Locks and connections must not be used across a fork: neither threads nor SQLite nor PostgreSQL allow it."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forgetting(Protocol):
    """What holds locks or connections."""

    def forget(self) -> None:
        """Runs in a forked child: drops what belongs to the parent, without closing it."""


_alive: weakref.WeakSet[Forgetting] = weakref.WeakSet()


def forget_in_children(holder: Forgetting) -> None:
    """From now on, `holder.forget()` runs first in every forked child of this process."""
    _alive.add(holder)


def _forget_all() -> None:
    for holder in list(_alive):
        holder.forget()


os.register_at_fork(after_in_child=_forget_all)
