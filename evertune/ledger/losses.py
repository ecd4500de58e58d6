"""The loss of each labelled row, written once, so that windows are sums over an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from evertune.ledger.database import Database
from evertune.ledger.schema import row_losses


@dataclass(frozen=True)
class RowLoss:
    """The bounded loss of one row.

    Attributes:
        model: Name.
        digest: Of the bundle that predicted the row.
        request_id: With `row`, the row's id.
        row: Index within the request.
        predicted_at: Seconds since the epoch.
        sequence: Of the label.
        loss: In [0, 1].
        confidence: Calibrated, of this row.
    """

    model: str
    digest: str
    request_id: str
    row: int
    predicted_at: float
    sequence: int
    loss: float
    confidence: float


@dataclass(frozen=True)
class LossSum:
    """Sums over the labelled rows of a window."""

    rows: int
    loss_sum: float
    loss_square_sum: float


class Losses:
    """Row losses, by prediction time and by order of arrival."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_many(self, connection: Connection, rows: Sequence[RowLoss]) -> None:
        """Adds losses within the caller's transaction; a second loss for one label is an integrity error."""
        if rows:
            connection.execute(insert(row_losses), [_to_row(row) for row in rows])

    def window(self, model: str, digest: str | None, since: float, until: float) -> LossSum:
        """Sums over rows predicted in [since, until), of one bundle or, with None, of all."""
        column = row_losses.c
        query = select(
            func.count(), func.coalesce(func.sum(column.loss), 0), func.coalesce(func.sum(column.loss * column.loss), 0)
        ).where(column.model == model, column.predicted_at >= since, column.predicted_at < until)
        if digest is not None:
            query = query.where(column.digest == digest)
        with self._database.read() as connection:
            rows, total, squares = connection.execute(query).one()
        return LossSum(int(rows), float(total), float(squares))

    def since(self, model: str, digest: str, sequence: int = 0, limit: int | None = None) -> list[RowLoss]:
        """Losses of labels after `sequence`, in order of arrival."""
        column = row_losses.c
        query = (
            select(row_losses)
            .where(column.model == model, column.digest == digest, column.sequence > sequence)
            .order_by(column.sequence)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [
                RowLoss(
                    row.model,
                    row.digest,
                    row.request_id,
                    row.row_index,
                    row.predicted_at,
                    row.sequence,
                    row.loss,
                    row.confidence,
                )
                for row in connection.execute(query)
            ]


def _to_row(row: RowLoss) -> dict[str, object]:
    values = dict(vars(row))
    values["row_index"] = values.pop("row")
    return values
