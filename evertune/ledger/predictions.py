"""The log of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects import postgresql

from evertune.ledger.batches import batches
from evertune.ledger.database import Database
from evertune.ledger.prediction import Prediction
from evertune.ledger.schema import clicks, horizons, labels, predictions, row_losses

_NAMES = [column.name for column in predictions.c]
_ADD_POSTGRESQL = postgresql.insert(predictions).on_conflict_do_nothing()
_ADD_SQLITE = (
    f"INSERT INTO predictions ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))}) "
    "ON CONFLICT (request_id) DO NOTHING"
)
_WITHOUT_INPUTS = [column for column in predictions.c if column.name != "inputs"]


@dataclass(frozen=True)
class WindowCount:
    """Sums over the predicted rows of a window.

    Attributes:
        rows: Predicted rows.
        confidence_sum: Of calibrated confidences: the expected number of right answers.
        confidence_variance_sum: Of c (1 - c): the variance of that number.
    """

    rows: int
    confidence_sum: float
    confidence_variance_sum: float


@dataclass(frozen=True)
class PredictionHead:
    """Which bundle answered a request, and how many rows it had: all that a label must be held against."""

    model: str
    digest: str
    rows: int


class Predictions:
    """Predictions by request id. Safe for many threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_many(self, batch: Sequence[Prediction]) -> int:
        """Adds predictions in one transaction; those that are there already are left as they are.

        Survives the death of this process, not the power cut: the spool does not either.

        Returns:
            How many were new.
        """
        rows = {prediction.request_id: prediction for prediction in reversed(batch)}  # the first of a kind wins
        if not rows:
            return 0
        values = {request_id: prediction.to_row() for request_id, prediction in rows.items()}  # before the lock
        with self._database.write("predictions", durable=False) as connection:
            for request_id in _known(connection, values):
                del values[request_id]
            if values:
                _insert(connection, list(values.values()))
            if waiting := [row for row in map(_horizon, rows.values()) if row and row["request_id"] in values]:
                connection.execute(insert(horizons), waiting)
        return len(values)

    def known(self, request_ids: Iterable[str]) -> set[str]:
        """Those of the ids that were predicted."""
        with self._database.read() as connection:
            return _known(connection, request_ids)

    def get(self, request_ids: Iterable[str], *, with_inputs: bool = False) -> dict[str, Prediction]:
        """The predictions that are there, by request id; `inputs` is None unless asked for."""
        columns = list(predictions.c) if with_inputs else _WITHOUT_INPUTS
        with self._database.read() as connection:
            return {
                row.request_id: Prediction.from_row(row)
                for some in batches(request_ids)
                for row in connection.execute(select(*columns).where(predictions.c.request_id.in_(some)))
            }

    def heads(self, request_ids: Iterable[str]) -> dict[str, PredictionHead]:
        """As `get`, without reading inputs or outputs: for many ids at once."""
        column = predictions.c
        query = select(column.request_id, column.model, column.digest, column.row_count)
        with self._database.read() as connection:
            return {
                row.request_id: PredictionHead(row.model, row.digest, row.row_count)
                for some in batches(request_ids)
                for row in connection.execute(query.where(column.request_id.in_(some)))
            }

    def window(self, model: str, digest: str | None, since: float, until: float) -> WindowCount:
        """Sums over rows predicted in [since, until), of one bundle or of all.

        Args:
            model: Name.
            digest: None for every bundle of the model.
            since: Seconds since the epoch, inclusive.
            until: Seconds since the epoch, exclusive.
        """
        column = predictions.c
        sums = (func.coalesce(func.sum(value), 0) for value in _SUMMED)
        query = select(*sums).where(column.model == model, column.predicted_at >= since, column.predicted_at < until)
        if digest is not None:
            query = query.where(column.digest == digest)
        with self._database.read() as connection:
            rows, confidence, variance = connection.execute(query).one()
        return WindowCount(int(rows), float(confidence), float(variance))

    def prune(self, before: float) -> int:
        """Deletes predictions made before a time, with labels, clicks and losses: retention, asked for by the operator.

        Row ids in the sets of re-tune jobs stay, so that a gate row is never used again.

        Returns:
            How many requests were deleted.
        """
        with self._database.write("predictions") as connection:
            for table in (labels, clicks, horizons, row_losses):
                connection.execute(delete(table).where(table.c.predicted_at < before))
            return connection.execute(delete(predictions).where(predictions.c.predicted_at < before)).rowcount


_SUMMED = (predictions.c.row_count, predictions.c.confidence_sum, predictions.c.confidence_variance_sum)


def _insert(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if connection.dialect.name == "sqlite":  # past SQLAlchemy's handling of each value, half the time of a batch
        connection.exec_driver_sql(_ADD_SQLITE, [tuple([row[name] for name in _NAMES]) for row in rows])
    else:
        connection.execute(_ADD_POSTGRESQL, rows)


def _horizon(prediction: Prediction) -> dict[str, Any] | None:
    if not prediction.label_horizon_seconds:
        return None
    return {
        "request_id": prediction.request_id,
        "model": prediction.model,
        "digest": prediction.digest,
        "predicted_at": prediction.predicted_at,
        "row_count": prediction.rows,
        "closes_at": prediction.predicted_at + prediction.label_horizon_seconds,
    }


def _known(connection: Connection, request_ids: Iterable[str]) -> set[str]:
    column = predictions.c.request_id
    return {
        request_id
        for some in batches(request_ids)
        for request_id in connection.scalars(select(column).where(column.in_(some)))
    }
