"""Labels: durable before they are acknowledged, joined by row id whenever they come."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from evertune.clock import Clock
from evertune.errors import EvertuneError, InputError, UnknownRowError
from evertune.ids import parse_row_id, row_id
from evertune.ledger.batches import batches
from evertune.ledger.clicks import ClickOutcome, Clicks
from evertune.ledger.database import Database
from evertune.ledger.horizons import SETTLED
from evertune.ledger.known_labels import BEGINNING, KnownLabel, LabelCursor, page, revisions
from evertune.ledger.label import Label, LabelledRow, LabelReceipt
from evertune.ledger.labelled import count_labelled, labelled_rows
from evertune.ledger.schema import FIRST, clicks, labels, predictions
from evertune.packing import unpack
from evertune.rows import Rows
from evertune.tensors import Tensors

_Row = tuple[str, int]  # request id, row
_SHOWN = 5  # of unknown ids in a message


class Labels:
    """Labels in order of arrival. Safe for many threads and processes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add_many(self, batch: Sequence[Label]) -> LabelReceipt:
        """Adds labels in one transaction, on disk before this returns; all or none.

        A label that is known already changes nothing; one that says otherwise is appended as a new revision. For a row
        with a horizon (`Prediction.label_horizon_seconds`) a label that is not `final` is a click.

        Raises:
            InputError: A row id is malformed, or a label is no finite number.
            UnknownRowError: Names the first row ids that were never predicted.
        """
        (receipt,) = self.add_groups([batch])
        if isinstance(receipt, EvertuneError):
            raise receipt
        return receipt

    def add_groups(self, groups: Sequence[Sequence[Label]]) -> list[LabelReceipt | EvertuneError]:
        """Adds the labels of several requests in one transaction: one disk sync for all of them.

        Returns:
            For each group what `add_many` would have returned or raised; a refused group stores nothing and does not
            hinder the others.
        """
        wanted = [_parse(group) for group in groups]
        good = [group for group in wanted if not isinstance(group, EvertuneError)]
        requests = {request_id for group in good for (request_id, _), _ in group}
        if not requests:
            return [LabelReceipt(0, 0, 0) if isinstance(group, list) else group for group in wanted]
        with self._database.write("labels") as connection:
            found, latest, now = _predicted(connection, requests), _latest(connection, requests), self._clock()
            events = Clicks(now)
            events.load(connection, found)
            receipts = [_receive(group, found, latest, events, now) for group in wanted]
            values = [row for receipt in receipts if isinstance(receipt, tuple) for row in receipt[1]]
            if values:
                connection.execute(insert(labels), values)
            if events.values:
                connection.execute(insert(clicks), events.values)
        return [receipt[0] if isinstance(receipt, tuple) else receipt for receipt in receipts]

    def rehearse_clicks(self, batch: Sequence[Label], events: Clicks) -> list[ClickOutcome | None]:
        """What `add_many` would make of each label, None where it is no click; stores nothing.

        Args:
            batch: Of predicted rows.
            events: Takes them: what an earlier batch brought is known to the next.

        Raises:
            InputError: As `add_many`.
        """
        wanted = _parse(batch)
        if isinstance(wanted, EvertuneError):
            raise wanted
        requests = {request_id for (request_id, _), _ in wanted}
        with self._database.read() as connection:
            found, latest = _predicted(connection, requests), _latest(connection, requests)
            events.load(connection, requests)
        return [
            events.take(row, label, latest, found[row[0]]) if events.is_click(row, label) else None
            for row, label in wanted
        ]

    def after(self, model: str, sequence: int, limit: int) -> list[LabelledRow]:
        """First labels that arrived after `sequence`, in order of arrival, joined with their predictions.

        Corrections are left out: a detector must see each row once. Sequences grow with commit, so nothing is ever
        inserted before a sequence that was returned.
        """
        label, prediction = labels.c, predictions.c
        query = (
            select(labels, prediction.outputs, prediction.confidence)
            .join(predictions, prediction.request_id == label.request_id)
            .where(label.model == model, label.sequence > sequence, label.revision == FIRST)
            .order_by(label.sequence)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_joined(row) for row in connection.execute(query)]

    def latest(self, row_ids: Iterable[str]) -> dict[str, float]:
        """The newest label of each of the rows that have one.

        Raises:
            InputError: A row id is malformed.
        """
        wanted = {parse_row_id(value) for value in row_ids}
        with self._database.read() as connection:
            found = _latest(connection, {request_id for request_id, _ in wanted})
        return {row_id(*row): label for row, (_, label) in found.items() if row in wanted}

    def revisions(self, value: str) -> list[Label]:
        """Everything that was ever said of one row, the first label first.

        Raises:
            InputError: The row id is malformed.
        """
        with self._database.read() as connection:
            return revisions(connection, value)

    def page(self, model: str, after: LabelCursor = BEGINNING, limit: int = 1000) -> list[KnownLabel]:
        """Labelled rows in the order of their prediction, each with its newest label; inputs are not read.

        Args:
            model: Name.
            after: `cursor` of the last row of the page before.
            limit: Most rows.
        """
        with self._database.read() as connection:
            return page(connection, model, after, limit)

    def labelled_rows(
        self,
        model: str,
        *,
        predicted_after: float | None = None,
        predicted_before: float | None = None,
        digest: str | None = None,
        newest: int | None = None,
        exclude_job_sets: Sequence[str] = (),
    ) -> Rows:
        """Labelled rows whose inputs were kept, with the latest revision of each label, in time order.

        Args:
            model: Name.
            predicted_after: Seconds since the epoch, exclusive.
            predicted_before: Seconds since the epoch, inclusive: what comes after one snapshot is not in it.
            digest: Only rows that this bundle predicted; None for all.
            newest: At most so many, the newest by prediction time.
            exclude_job_sets: Leaves out rows in a set of these names ("train", "gate", "report") of any job.

        Returns:
            Rows with labels as the ledger keeps them (float64; see `evertune.kinds.decoded`), times of prediction, row
            ids, and weights 1 / (payload propensity x label propensity).

        Raises:
            DataError: The bundles of the window had inputs that do not fit together.
        """
        with self._database.read() as connection:
            return labelled_rows(
                connection, model, predicted_after, predicted_before, digest, newest, tuple(exclude_job_sets)
            )

    def count_labelled(
        self,
        model: str,
        *,
        predicted_after: float | None = None,
        digest: str | None = None,
        exclude_job_sets: Sequence[str] = (),
    ) -> int:
        """How many rows `labelled_rows` would give, without reading their inputs: cheap enough to poll."""
        with self._database.read() as connection:
            return count_labelled(connection, model, predicted_after, digest, tuple(exclude_job_sets))


def _predicted(connection: Connection, request_ids: Iterable[str]) -> dict[str, Any]:
    column = predictions.c
    query = select(column.request_id, column.model, column.digest, column.predicted_at, column.row_count)
    return {
        row.request_id: row
        for some in batches(request_ids)
        for row in connection.execute(query.where(column.request_id.in_(some)))
    }


def _latest(connection: Connection, request_ids: Iterable[str]) -> dict[_Row, tuple[int, float]]:
    """Revision and label by row; the order makes the latest win."""
    column = labels.c
    query = select(column.request_id, column.row_index, column.revision, column.label).order_by(column.revision)
    return {
        (row.request_id, row.row_index): (row.revision, row.label)
        for some in batches(request_ids)
        for row in connection.execute(query.where(column.request_id.in_(some)))
    }


def _parse(batch: Sequence[Label]) -> list[tuple[_Row, Label]] | EvertuneError:
    try:
        wanted = [(parse_row_id(label.row_id), label) for label in batch]
    except InputError as error:
        return error
    for _, label in wanted:
        value = label.label
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
            return InputError(f"label {value!r} is no finite number", fix="Send a number.", id=label.row_id)
        if label.at is not None and not abs(label.at) < math.inf:
            return InputError(f"time {label.at!r} is not finite", fix="Send seconds since the epoch.", id=label.row_id)
    return wanted


def _receive(
    wanted: list[tuple[_Row, Label]] | EvertuneError,
    found: dict[str, Any],
    latest: dict[_Row, tuple[int, float]],
    events: Clicks,
    now: float,
) -> tuple[LabelReceipt, list[dict[str, Any]]] | EvertuneError:
    if isinstance(wanted, EvertuneError):
        return wanted
    unknown = [row_id(*row) for row, _ in wanted if row[0] not in found or row[1] >= found[row[0]].row_count]
    if unknown:
        return UnknownRowError(
            f"{len(unknown)} of {len(wanted)} labels name rows that were never predicted: "
            f"{', '.join(unknown[:_SHOWN])}",
            fix="Send the ids that predictions returned, to the service that returned them. No label was stored.",
            ids=unknown[:_SHOWN],
            count=len(unknown),
        )
    return _decide(wanted, found, latest, events, now)


def _decide(
    wanted: list[tuple[_Row, Label]],
    found: dict[str, Any],
    latest: dict[_Row, tuple[int, float]],
    events: Clicks,
    now: float,
) -> tuple[LabelReceipt, list[dict[str, Any]]]:
    counts = {"accepted": 0, "unchanged": 0, "corrected": 0, "late": 0}
    values = []
    for row, label in wanted:
        if events.is_click(row, label):
            counts[events.take(row, label, latest, found[row[0]])] += 1
            continue
        revision, known = latest.get(row, (0, None))
        counts["accepted" if known is None else "unchanged" if known == label.label else "corrected"] += 1
        if known == label.label:
            continue
        latest[row] = (revision + 1, label.label)
        prediction = found[row[0]]
        values.append(
            {
                "request_id": row[0],
                "row_index": row[1],
                "revision": revision + 1,
                "label": label.label,
                "arrived_at": now,
                "key_id": label.key_id,
                "model": prediction.model,
                "digest": prediction.digest,
                "predicted_at": prediction.predicted_at,
            }
        )
    return LabelReceipt(**counts), values


def _joined(row: Any) -> LabelledRow:
    outputs = _unpacked(row.outputs)
    return LabelledRow(
        row.sequence,
        row_id(row.request_id, row.row_index),
        row.model,
        row.digest,
        row.label,
        row.arrived_at,
        row.predicted_at,
        {name: value[row.row_index : row.row_index + 1] for name, value in outputs.items()},
        float(np.frombuffer(row.confidence, "<f4")[row.row_index]),
        row.key_id == SETTLED,
    )


@lru_cache(maxsize=8)  # labels of one request mostly come together
def _unpacked(outputs: bytes) -> Tensors:
    return unpack(outputs)
