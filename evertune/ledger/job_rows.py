"""Which rows a job used for what: disjoint within a job, and a gate row serves once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from evertune.errors import InputError, JobError
from evertune.ids import parse_row_id, row_id
from evertune.ledger.batches import batches
from evertune.ledger.schema import job_rows, job_sets

SetName = Literal["train", "gate", "report"]


def store(
    connection: Connection, job_id: int, model: str, set_name: SetName, row_ids: Sequence[str], now: float
) -> None:
    """See `RetuneJobs.set_rows`."""
    if set_name not in get_args(SetName):
        raise InputError(f"set {set_name!r} is unknown", fix=f"Use one of {', '.join(get_args(SetName))}.")
    rows = [parse_row_id(value) for value in row_ids]
    if len(set(rows)) != len(rows):
        raise InputError(f"the {set_name} set of job {job_id} names a row twice", fix="Name each row once.")
    head = {"job_id": job_id, "set_name": set_name, "model": model, "row_count": len(rows), "created_at": now}
    stored = select(job_sets.c.row_count).where(job_sets.c.job_id == job_id, job_sets.c.set_name == set_name)
    if connection.scalar(stored) is not None:
        if load(connection, job_id, set_name) != list(row_ids):
            raise JobError(f"job {job_id} has another {set_name} set", fix="Go on with the rows that are stored.")
        return
    if set_name == "gate":
        _refuse_trained(connection, rows)
    connection.execute(insert(job_sets), [head])
    values: list[dict[str, object]] = [
        {"job_id": job_id, "set_name": set_name, "position": position, "request_id": request_id, "row_index": row}
        for position, (request_id, row) in enumerate(rows)
    ]
    if values:
        _insert(connection, values, job_id, set_name)


def load(connection: Connection, job_id: int, set_name: SetName) -> list[str]:
    """Row ids of a set, in the order given."""
    column = job_rows.c
    query = select(column.request_id, column.row_index).where(column.job_id == job_id, column.set_name == set_name)
    return [row_id(row.request_id, row.row_index) for row in connection.execute(query.order_by(column.position))]


def gate_rows_used(connection: Connection, model: str) -> set[str]:
    """Row ids of all gates of a model."""
    query = select(job_rows.c.request_id, job_rows.c.row_index).join(
        job_sets, (job_sets.c.job_id == job_rows.c.job_id) & (job_sets.c.set_name == job_rows.c.set_name)
    )
    query = query.where(job_rows.c.set_name == "gate", job_sets.c.model == model)
    return {row_id(row.request_id, row.row_index) for row in connection.execute(query)}


def gates_since(connection: Connection, model: str, since: float) -> int:
    """How many gates of a model were stored at or after a time."""
    column = job_sets.c
    query = select(func.count()).where(column.model == model, column.set_name == "gate", column.created_at >= since)
    return int(connection.scalar(query) or 0)


def _insert(connection: Connection, values: list[dict[str, object]], job_id: int, set_name: str) -> None:
    try:
        connection.execute(insert(job_rows), values)
    except IntegrityError as error:
        raise JobError(
            f"a row of the {set_name} set of job {job_id} is in another set of it, or served for a gate before",
            fix="Take rows that no set and no gate has used; `labelled_rows(exclude_job_sets=...)` leaves them out.",
        ) from error


def _refuse_trained(connection: Connection, rows: list[tuple[str, int]]) -> None:
    """A challenger may start from weights that an earlier job trained: its training rows prove nothing any more."""
    column, wanted = job_rows.c, set(rows)
    trained = select(column.request_id, column.row_index).where(column.set_name == "train")
    for some in batches({request_id for request_id, _ in rows}):
        for row in connection.execute(trained.where(column.request_id.in_(some))):
            if (row.request_id, row.row_index) in wanted:
                raise JobError(
                    f"gate row {row_id(row.request_id, row.row_index)} was trained on", fix="Take newer rows."
                )
