"""Live rows that can be learned from: inputs kept, label known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, exists, func, select

from evertune.errors import DataError
from evertune.ids import row_id
from evertune.ledger.schema import FIRST, job_rows, labels, predictions
from evertune.packing import unpack
from evertune.rows import Rows
from evertune.tensors import Array, Tensors


def labelled_rows(
    connection: Connection,
    model: str,
    predicted_after: float | None,
    predicted_before: float | None,
    digest: str | None,
    newest: int | None,
    exclude_job_sets: tuple[str, ...],
) -> Rows:
    """See `Labels.labelled_rows`."""
    query = _query(model, predicted_after, predicted_before, digest, exclude_job_sets)
    found = connection.execute(query.limit(newest)).all()[::-1]
    return _to_rows(found)


def count_labelled(
    connection: Connection,
    model: str,
    predicted_after: float | None,
    digest: str | None,
    exclude_job_sets: tuple[str, ...],
) -> int:
    """See `Labels.count_labelled`."""
    query = _chosen(select(func.count()), model, predicted_after, None, digest, exclude_job_sets)
    return int(connection.scalar(query) or 0)


def _query(
    model: str, after: float | None, before: float | None, digest: str | None, exclude: tuple[str, ...]
) -> Select[Any]:
    first, prediction = labels.c, predictions.c
    query: Select[Any] = select(
        first.request_id,
        first.row_index,
        first.predicted_at,
        _latest_label().label("label"),
        prediction.inputs,
        prediction.payload_propensity,
        prediction.label_propensity,
    )
    query = _chosen(query, model, after, before, digest, exclude)
    return query.order_by(first.predicted_at.desc(), first.sequence.desc())


def _chosen(
    query: Select[Any],
    model: str,
    after: float | None,
    before: float | None,
    digest: str | None,
    exclude: tuple[str, ...],
) -> Select[Any]:
    """The one place that says which rows can be learned from: who counts them must count what is then read."""
    first, prediction = labels.c, predictions.c
    chosen: Select[Any] = (
        query.select_from(labels)
        .join(predictions, prediction.request_id == first.request_id)
        .where(first.model == model, first.revision == FIRST, prediction.inputs.is_not(None))
    )
    if after is not None:
        chosen = chosen.where(first.predicted_at > after)
    if before is not None:
        chosen = chosen.where(first.predicted_at <= before)
    if digest is not None:
        chosen = chosen.where(first.digest == digest)
    if exclude:
        used = job_rows.c
        same_row = (used.request_id == first.request_id, used.row_index == first.row_index)
        chosen = chosen.where(~exists().where(*same_row, used.set_name.in_(exclude)))
    return chosen


def _latest_label() -> Any:
    later = labels.alias("later")
    return (
        select(later.c.label)
        .where(later.c.request_id == labels.c.request_id, later.c.row_index == labels.c.row_index)
        .order_by(later.c.revision.desc())
        .limit(1)
        .scalar_subquery()
    )


def _to_rows(found: Sequence[Any]) -> Rows:
    propensities = np.array([row.payload_propensity * row.label_propensity for row in found])
    return Rows(
        _stack([_one_row(row) for row in found]),
        np.array([row.label for row in found], np.float64),
        np.array([row.predicted_at for row in found], np.float64),
        (1.0 / np.maximum(propensities, 1e-6)).astype(np.float32),  # drawn with probability 0 yet here: not infinity
        tuple(row_id(row.request_id, row.row_index) for row in found),
    )


def _one_row(row: Any) -> Tensors:
    return {name: value[row.row_index] for name, value in unpack(row.inputs).items()}


def _stack(inputs: list[Tensors]) -> Tensors:
    names = list(inputs[0]) if inputs else []
    if any(list(tensors) != names for tensors in inputs):
        raise DataError("live rows have different inputs", fix="Take the rows of one bundle, or of a later time.")
    return {name: _stack_one(name, [tensors[name] for tensors in inputs]) for name in names}


def _stack_one(name: str, values: list[Array]) -> Array:
    kinds = {(value.dtype.str, value.shape) for value in values}
    if len(kinds) != 1:
        raise DataError(
            f"live rows of input {name!r} have different dtypes or shapes: {sorted(kinds)[:5]}",
            fix="Take the rows of one bundle, or of a later time.",
        )
    return np.stack(values)
