"""Detector states, each saved with its cursor and the losses it has eaten."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from evertune.errors import JobError
from evertune.ledger.database import Database
from evertune.ledger.losses import Losses, RowLoss
from evertune.ledger.schema import detectors


@dataclass(frozen=True)
class DetectorRecord:
    """The state of one bundle's detector.

    Attributes:
        model: Name.
        digest: Of the bundle.
        state: JSON, finite numbers only.
        last_sequence: Of the last label eaten.
        version: 0 for a new record, then one more with each save.
    """

    model: str
    digest: str
    state: dict[str, Any]
    last_sequence: int = 0
    version: int = 0


class Detectors:
    """Detector records by model and bundle."""

    def __init__(self, database: Database, losses: Losses) -> None:
        self._database = database
        self._losses = losses

    def load(self, model: str, digest: str) -> DetectorRecord | None:
        """The record, None where the bundle has none yet."""
        query = select(detectors).where(detectors.c.model == model, detectors.c.digest == digest)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else DetectorRecord(*row)

    def list(self, model: str) -> list[DetectorRecord]:
        """The records of all bundles of a model, the one that ate last first."""
        query = select(detectors).where(detectors.c.model == model).order_by(detectors.c.last_sequence.desc())
        with self._database.read() as connection:
            return [DetectorRecord(*row) for row in connection.execute(query)]

    def save(self, record: DetectorRecord, losses: Sequence[RowLoss] = ()) -> DetectorRecord:
        """Stores state, cursor and row losses in one transaction.

        Args:
            record: As loaded, with new state and cursor; `version` as loaded.
            losses: Of the labels eaten since.

        Returns:
            The record with its new version, for the next save.

        Raises:
            JobError: Another evaluator saved in between, or one of the losses was stored before; nothing is stored.
        """
        (saved,) = self.save_many([record], losses)
        return saved

    def save_many(
        self, records: Sequence[DetectorRecord], losses: Sequence[RowLoss] = ()
    ) -> builtins.list[DetectorRecord]:
        """As `save`, for several bundles at once: one transaction, so that one cursor serves all of them.

        Raises:
            JobError: As `save`; nothing is stored.
        """
        try:
            with self._database.write("detectors") as connection:
                saved = [_save(connection, record) for record in records]
                self._losses.add_many(connection, losses)
        except IntegrityError as error:
            raise _conflict(records[0]) from error
        return saved


def _save(connection: Connection, record: DetectorRecord) -> DetectorRecord:
    saved = replace(record, version=record.version + 1)
    if record.version == 0:
        connection.execute(insert(detectors), [vars(saved)])
        return saved
    column = detectors.c
    same = (column.model == record.model, column.digest == record.digest, column.version == record.version)
    if connection.execute(update(detectors).where(*same).values(**vars(saved))).rowcount != 1:
        raise _conflict(record)
    return saved


def _conflict(record: DetectorRecord) -> JobError:
    return JobError(
        f"another evaluator saved the detector of {record.model} {record.digest[:12]}",
        fix="Load the record again and go on from its cursor. Run one evaluator a ledger.",
    )
