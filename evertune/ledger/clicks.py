"""Clicks: events that become the label of a row once its horizon has passed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from sqlalchemy import Connection, select

from evertune.kinds.ranking import NOTHING
from evertune.ledger.batches import batches
from evertune.ledger.label import Label
from evertune.ledger.schema import clicks, horizons

ClickOutcome = Literal["accepted", "unchanged", "late"]
_Row = tuple[str, int]  # request id, row


class Clicks:
    """The clicks of one transaction, held against the rows that wait for some.

    Args:
        now: Seconds since the epoch.

    Attributes:
        values: Of the table `clicks`, to be inserted.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._closes_at: dict[str, float] = {}
        self._items: set[tuple[_Row, float]] = set()
        self._events: set[tuple[_Row, float, float]] = set()
        self.values: list[dict[str, Any]] = []

    def load(self, connection: Connection, request_ids: Iterable[str]) -> None:
        """Reads which of the requests have a horizon, and the clicks that are known of those."""
        column = horizons.c
        query = select(column.request_id, column.closes_at)
        found = {
            row.request_id: row.closes_at
            for some in batches(request_ids)
            for row in connection.execute(query.where(column.request_id.in_(some)))
        }
        self._closes_at |= found
        for some in batches(found):
            for row in connection.execute(select(clicks).where(clicks.c.request_id.in_(some))):
                self._know((row.request_id, row.row_index), row.item, row.happened_at)

    def is_click(self, row: _Row, label: Label) -> bool:
        """Whether it is an event, and not the last word on the row."""
        return not label.final and row[0] in self._closes_at

    def take(self, row: _Row, label: Label, latest: dict[_Row, tuple[int, float]], prediction: Any) -> ClickOutcome:
        """Notes one click. One that has no time of its own is known if its item was clicked before.

        That nothing was clicked is no event, and changes nothing: it follows from the horizon.
        """
        happened_at = self._now if label.at is None else label.at
        again = (row, label.label) in self._items if label.at is None else (row, label.label, label.at) in self._events
        if again or label.label == NOTHING:
            return "unchanged"
        late = max(self._now, happened_at) > self._closes_at[row[0]] or row in latest
        self._know(row, label.label, happened_at)
        self.values.append(
            {
                "request_id": row[0],
                "row_index": row[1],
                "item": label.label,
                "happened_at": happened_at,
                "arrived_at": self._now,
                "key_id": label.key_id,
                "model": prediction.model,
                "predicted_at": prediction.predicted_at,
                "late": late,
            }
        )
        return "late" if late else "accepted"

    def _know(self, row: _Row, item: float, happened_at: float) -> None:
        self._items.add((row, item))
        self._events.add((row, item, happened_at))
