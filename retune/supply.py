"""Labelled live rows: how many there are, and the very rows that a job has chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from sqlalchemy import exists, func, select

from evertune.errors import JobError
from evertune.ids import parse_row_id
from evertune.ledger import Ledger
from evertune.ledger.batches import batches
from evertune.ledger.schema import job_rows, labels, predictions
from evertune.rows import Rows


def count_labelled(
    ledger: Ledger,
    model: str,
    *,
    predicted_after: float | None,
    digest: str | None = None,
    exclude_job_sets: Sequence[str] = (),
) -> int:
    """How many rows `ledger.labels.labelled_rows` would give, without reading their inputs: cheap enough to poll."""
    label = labels.c
    query = (
        select(func.count())
        .select_from(labels)
        .join(predictions, predictions.c.request_id == label.request_id)
        .where(label.model == model, label.revision == 1, predictions.c.inputs.is_not(None))
    )
    if predicted_after is not None:
        query = query.where(label.predicted_at > predicted_after)
    if digest is not None:
        query = query.where(label.digest == digest)
    if exclude_job_sets:
        used = job_rows.c
        same_row = (used.request_id == label.request_id, used.row_index == label.row_index)
        query = query.where(~exists().where(*same_row, used.set_name.in_(exclude_job_sets)))
    with ledger.engine.connect() as connection:
        return int(connection.scalar(query) or 0)


def stored_rows(ledger: Ledger, model: str, row_ids: Sequence[str]) -> Rows:
    """The rows that a job stored by id, in time order, with the newest revision of each label.

    Raises:
        JobError: Some of them are not there any more.
    """
    wanted = set(row_ids)
    first_at, last_at = _span(ledger, {parse_row_id(value)[0] for value in row_ids})
    around = ledger.labels.labelled_rows(
        model, predicted_after=math.nextafter(first_at, -math.inf), predicted_before=last_at
    )
    found = around.take(np.array([row in wanted for row in around.ids], bool))  # more labels came since
    if len(found) != len(wanted):
        raise JobError(
            f"{len(wanted) - len(found)} of {len(wanted)} rows of the job are no longer in the ledger",
            fix="Keep predictions for longer than a re-tune takes, then ask again.",
        )
    return found


def _span(ledger: Ledger, request_ids: set[str]) -> tuple[float, float]:
    """When the oldest and the newest of some requests were predicted."""
    column = predictions.c
    ends = select(func.min(column.predicted_at), func.max(column.predicted_at))
    with ledger.engine.connect() as connection:
        found = [connection.execute(ends.where(column.request_id.in_(some))).one() for some in batches(request_ids)]
    times = [float(time) for row in found for time in row if time is not None]
    return (min(times), max(times)) if times else (0.0, 0.0)
