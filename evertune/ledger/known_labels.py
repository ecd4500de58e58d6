"""What is known about rows, for people and files: newest labels in time order, and their history."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, func, or_, select

from evertune.ids import parse_row_id, row_id
from evertune.ledger.label import Label
from evertune.ledger.schema import FIRST, labels, predictions
from evertune.packing import unpack
from evertune.tensors import Tensors


@dataclass(frozen=True)
class LabelCursor:
    """A place in the order of predictions; by itself, the place before all of them."""

    predicted_at: float = -math.inf
    sequence: int = 0


BEGINNING = LabelCursor()


@dataclass(frozen=True, eq=False)
class KnownLabel:
    """A labelled row with its newest label.

    Attributes:
        cursor: For the next page.
        row_id: `<request id>:<row>`.
        digest: Of the bundle that predicted the row.
        label: The number of the newest revision.
        revision: 1, and one more for each correction.
        labelled_at: When the newest revision came, seconds since the epoch.
        predicted_at: Seconds since the epoch.
        outputs: Named arrays of one row.
        confidence: Calibrated, of this row.
    """

    cursor: LabelCursor
    row_id: str
    digest: str
    label: float
    revision: int
    labelled_at: float
    predicted_at: float
    outputs: Tensors
    confidence: float


def page(connection: Connection, model: str, after: LabelCursor, limit: int) -> list[KnownLabel]:
    """See `Labels.page`."""
    first, newest, prediction = labels.c, labels.alias("newest"), predictions.c
    same_row = (newest.c.request_id == first.request_id, newest.c.row_index == first.row_index)
    last = select(func.max(newest.c.revision)).where(*same_row).scalar_subquery()
    now = labels.alias("now")
    query = (
        select(
            *(first.sequence, first.request_id, first.row_index, first.digest, first.predicted_at),
            *(now.c.label, now.c.revision, now.c.arrived_at, prediction.outputs, prediction.confidence),
        )
        .select_from(labels)
        .join(predictions, prediction.request_id == first.request_id)
        .join(now, and_(now.c.request_id == first.request_id, now.c.row_index == first.row_index))
        .where(first.model == model, first.revision == FIRST, now.c.revision == last)
        .order_by(first.predicted_at, first.sequence)
        .limit(limit)
    )
    if after.predicted_at > -math.inf:
        later = first.predicted_at > after.predicted_at
        query = query.where(or_(later, and_(first.predicted_at == after.predicted_at, first.sequence > after.sequence)))
    return [_known(row) for row in connection.execute(query)]


def revisions(connection: Connection, value: str) -> list[Label]:
    """See `Labels.revisions`."""
    request_id, row = parse_row_id(value)
    mine = (labels.c.request_id == request_id, labels.c.row_index == row)
    query = select(labels).where(*mine).order_by(labels.c.revision)
    return [
        Label(value, found.label, found.key_id, found.sequence, found.arrived_at) for found in connection.execute(query)
    ]


def _known(row: Any) -> KnownLabel:
    one = slice(row.row_index, row.row_index + 1)
    return KnownLabel(
        LabelCursor(row.predicted_at, row.sequence),
        row_id(row.request_id, row.row_index),
        row.digest,
        row.label,
        row.revision,
        row.arrived_at,
        row.predicted_at,
        {name: value[one] for name, value in unpack(row.outputs).items()},
        float(np.frombuffer(row.confidence, "<f4")[row.row_index]),
    )
