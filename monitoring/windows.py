"""Sums over the last hour, day and week, in two passes over indexes of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from evertune.ledger.schema import predictions, row_losses

WINDOWS_SECONDS = {"1h": 3600.0, "1d": 86_400.0, "7d": 604_800.0}


@dataclass(frozen=True)
class WindowSums:
    """Over the rows that one bundle predicted in a window.

    Attributes:
        predicted: Rows.
        confidence_sum: Of calibrated confidences c.
        variance_sum: Of c (1 - c).
        labelled: Those of the rows whose loss is known.
        loss_sum: Of theirs.
        surprise_sum: Of (1 - loss) - c, over labelled rows.
        surprise_square_sum: Of its square.
    """

    predicted: int = 0
    confidence_sum: float = 0.0
    variance_sum: float = 0.0
    labelled: int = 0
    loss_sum: float = 0.0
    surprise_sum: float = 0.0
    surprise_square_sum: float = 0.0

    def plus(self, other: WindowSums) -> WindowSums:
        """Sums of two sets of rows that have none in common."""
        return WindowSums(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def window_sums(connection: Connection, model: str, digest: str, now: float) -> dict[str, WindowSums]:
    """Sums of each of `WINDOWS_SECONDS`, by its name.

    Each row is read once and counted in the shortest window that holds it; longer windows add up the shorter ones.

    Args:
        connection: Within one snapshot, so that no row is labelled before it is predicted.
        model: Name.
        digest: Of the bundle.
        now: End of all windows, seconds since the epoch, exclusive.
    """
    prediction, loss = predictions.c, row_losses.c
    surprise = (1 - loss.loss) - loss.confidence
    counts = (prediction.row_count, prediction.confidence_sum, prediction.confidence_variance_sum)
    predicted = _by_age(connection, model, digest, now, predictions, [func.sum(column) for column in counts])
    sums = [func.count(), func.sum(loss.loss), func.sum(surprise), func.sum(surprise * surprise)]
    labelled = _by_age(connection, model, digest, now, row_losses, sums)
    total, found = WindowSums(), {}
    for name in WINDOWS_SECONDS:
        total = total.plus(WindowSums(*predicted.get(name, (0, 0.0, 0.0)), *labelled.get(name, (0, 0.0, 0.0, 0.0))))
        found[name] = total
    return found


def _by_age(
    connection: Connection, model: str, digest: str, now: float, table: Any, sums: Sequence[ColumnElement[Any]]
) -> dict[str, tuple[Any, ...]]:
    at = table.c.predicted_at
    ages = [(at >= now - seconds, name) for name, seconds in WINDOWS_SECONDS.items()]
    age = case(*ages, else_="")
    oldest = now - max(WINDOWS_SECONDS.values())
    query: Select[Any] = (
        select(age, *sums).where(table.c.model == model, table.c.digest == digest, at >= oldest, at < now).group_by(age)
    )
    return {row[0]: tuple(row[1:]) for row in connection.execute(query)}
