"""The very live rows that a job has chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from sqlalchemy import func, select

from evertune.errors import JobError
from evertune.ids import parse_row_id
from evertune.ledger import Ledger
from evertune.ledger.batches import batches
from evertune.ledger.schema import predictions
from evertune.rows import Rows


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
    with ledger.read() as connection:
        found = [connection.execute(ends.where(column.request_id.in_(some))).one() for some in batches(request_ids)]
    times = [float(time) for row in found for time in row if time is not None]
    return (min(times), max(times)) if times else (0.0, 0.0)
