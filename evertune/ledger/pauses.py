"""Pauses of re-tuning: append-only, so that who held it back, and why, stays on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from evertune.clock import Clock
from evertune.errors import InputError
from evertune.ledger.database import Database
from evertune.ledger.schema import pauses


@dataclass(frozen=True)
class Pause:
    """One decision to pause, or to resume.

    Attributes:
        sequence: Order of decisions.
        model: Name.
        paused: False for a resumption.
        until: Seconds since the epoch at which the pause ends by itself; None: not before somebody resumes.
        reason: In words.
        actor: Who decided.
        decided_at: Seconds since the epoch.
    """

    sequence: int
    model: str
    paused: bool
    until: float | None
    reason: str
    actor: str
    decided_at: float


class Pauses:
    """The latest decision about a model holds."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def pause(self, model: str, *, until: float | None = None, reason: str, actor: str) -> Pause:
        """Holds re-tuning of a model back; again replaces end and reason.

        Raises:
            InputError: The end is not in the future.
        """
        if until is not None and until <= self._clock():
            raise InputError("the pause would end before it begins", fix="Give a time in the future.", until=until)
        return self._append(model, True, until, reason, actor)

    def resume(self, model: str, *, reason: str, actor: str) -> Pause | None:
        """Ends a pause.

        Returns:
            The decision; None, and nothing is written, where the model is not paused.
        """
        return None if self.current(model) is None else self._append(model, False, None, reason, actor)

    def current(self, model: str) -> Pause | None:
        """The pause that holds now, if any."""
        history = self.history(model, 1)
        if not history or not history[0].paused:
            return None
        return None if history[0].until is not None and history[0].until <= self._clock() else history[0]

    def history(self, model: str, limit: int = 100) -> list[Pause]:
        """Decisions about a model, the newest first."""
        query = select(pauses).where(pauses.c.model == model).order_by(pauses.c.sequence.desc()).limit(limit)
        with self._database.read() as connection:
            return [Pause(*row) for row in connection.execute(query)]

    def _append(self, model: str, paused: bool, until: float | None, reason: str, actor: str) -> Pause:
        values: dict[str, Any] = {"model": model, "paused": paused, "until": until, "reason": reason, "actor": actor}
        with self._database.write("pauses") as connection:
            return Pause(*connection.execute(_ADD, values | {"decided_at": self._clock()}).one())


_ADD = insert(pauses).returning(*pauses.c)
