"""Horizons: until when clicks are waited for; then a row has its label, and where none came that is a label too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from evertune.clock import Clock
from evertune.kinds.ranking import NOTHING
from evertune.ledger.batches import batches
from evertune.ledger.database import Database
from evertune.ledger.schema import FIRST, clicks, horizons, labels

SETTLED = "horizon"
"""Stands in place of a key's id in a label that followed from clicks, or from there being none."""

_REQUESTS, _ROWS = 1000, 2000  # of one transaction: a few milliseconds, in which a running server's labels wait
_Row = tuple[str, int]


class Horizons:
    """Requests whose labels follow from clicks. Safe for many threads and processes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def settle(self, model: str) -> int:
        """Gives every row whose horizon has passed its label: the item of its first click, or none.

        A row that has a label already keeps it. Labels and the mark that a request is settled are one transaction, so
        that a process that is killed settles nothing twice.

        Returns:
            How many rows got a label.
        """
        total, query = 0, _due(model, self._clock())
        while self._is_any(query):  # without a look first each call would keep writers waiting
            with self._database.write("labels") as connection:
                total += _settle(connection, connection.execute(query).all(), self._clock())
        return total

    def _is_any(self, query: Select[Any]) -> bool:
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None


def _due(model: str, now: float) -> Select[Any]:
    column = horizons.c
    return (
        select(horizons)
        .where(column.model == model, column.settled_at.is_(None), column.closes_at < now)
        .order_by(column.closes_at, column.request_id)
        .limit(_REQUESTS)
    )


def _settle(connection: Connection, due: Sequence[Any], now: float) -> int:
    before = [0, *accumulate(request.row_count for request in due)]
    some = [request for request, rows in zip(due, before, strict=False) if rows < _ROWS]
    ids = [request.request_id for request in some]
    labelled, first = _labelled(connection, ids), _first_clicks(connection, ids)
    values = [
        _label(request, index, first.get((request.request_id, index)))
        for request in some
        for index in range(request.row_count)
        if (request.request_id, index) not in labelled
    ]
    if values:
        connection.execute(insert(labels), values)
    for part in batches(ids):
        connection.execute(update(horizons).where(horizons.c.request_id.in_(part)).values(settled_at=now))
    return len(values)


def _label(request: Any, index: int, click: Any) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "row_index": index,
        "revision": 1,
        "label": float(NOTHING) if click is None else click.item,
        "arrived_at": request.closes_at,
        "key_id": SETTLED,
        "model": request.model,
        "digest": request.digest,
        "predicted_at": request.predicted_at,
    }


def _labelled(connection: Connection, request_ids: Iterable[str]) -> set[_Row]:
    column = labels.c
    query = select(column.request_id, column.row_index).where(column.revision == FIRST)
    return {
        (row.request_id, row.row_index)
        for some in batches(request_ids)
        for row in connection.execute(query.where(column.request_id.in_(some)))
    }


def _first_clicks(connection: Connection, request_ids: Iterable[str]) -> dict[_Row, Any]:
    """By row, in the order in which they happened; the order makes the first win."""
    column = clicks.c
    query = select(clicks).where(~column.late).order_by(column.happened_at.desc(), column.sequence.desc())
    return {
        (row.request_id, row.row_index): row
        for some in batches(request_ids)
        for row in connection.execute(query.where(column.request_id.in_(some)))
    }
