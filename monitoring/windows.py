"""Sums over the last hour, day and week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Table, func, select

from evertune.ledger.schema import horizons, predictions, row_losses

WINDOWS_SECONDS = {"1h": 3600.0, "1d": 86_400.0, "7d": 604_800.0}  # the shortest first
_NEWEST = "1h"
_REFRESH_SECONDS = 60.0  # a day or a week does not change more in a minute than its interval is wide
_USELESS_SECONDS = 300.0  # so old only where nobody refreshes


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
        open: Those of the predicted rows that wait for clicks, and cannot have a label yet.
    """

    predicted: int = 0
    confidence_sum: float = 0.0
    variance_sum: float = 0.0
    labelled: int = 0
    loss_sum: float = 0.0
    surprise_sum: float = 0.0
    surprise_square_sum: float = 0.0
    open: int = 0

    def plus(self, other: WindowSums) -> WindowSums:
        """Sums of two sets of rows that have none in common."""
        return WindowSums(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


class Windows:
    """Window sums of champions. What is older than an hour is summed up once a minute and kept.

    So a scrape reads the last hour alone, and a label for an older row shows up to a minute late. The exporter
    refreshes in the background; where nobody does, the first scrape that finds the sums too old does it.

    Example:
        `windows.sums(connection, "fashion", digest, now)["1d"].predicted`
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def refresh(self, connection: Connection, model: str, digest: str, now: float) -> None:
        """Sums up what is older than an hour, unless that was done a minute ago or less; arguments as `sums`."""
        if not self._is_fresh(model, digest, now, _REFRESH_SECONDS):
            self._kept[model] = _keep(connection, model, digest, now)

    def sums(self, connection: Connection, model: str, digest: str, now: float) -> dict[str, WindowSums]:
        """Sums of each of `WINDOWS_SECONDS`, by its name.

        Args:
            connection: Within one snapshot, so that no row is labelled before it is predicted.
            model: Name.
            digest: Of its champion.
            now: End of all windows, seconds since the epoch, exclusive.
        """
        if not self._is_fresh(model, digest, now, _USELESS_SECONDS):
            self.refresh(connection, model, digest, now)
        kept = self._kept[model]
        since = now - WINDOWS_SECONDS[_NEWEST]
        total = _between(connection, (model, digest, since, now), now)
        found = {_NEWEST: total}
        total = total.plus(_between(connection, (model, digest, kept.at - WINDOWS_SECONDS[_NEWEST], since), now))
        for name, older in kept.older.items():
            found[name] = total = total.plus(older)
        return found

    def _is_fresh(self, model: str, digest: str, now: float, seconds: float) -> bool:
        kept = self._kept.get(model)
        return kept is not None and kept.digest == digest and 0 <= now - kept.at < seconds


@dataclass(frozen=True)
class _Kept:
    """Sums as of a time, over rows of each window that no shorter window holds."""

    digest: str
    at: float
    older: dict[str, WindowSums]


def _keep(connection: Connection, model: str, digest: str, now: float) -> _Kept:
    edges = pairwise(WINDOWS_SECONDS.items())
    return _Kept(
        digest,
        now,
        {
            name: _between(connection, (model, digest, now - long, now - short), now)
            for (_, short), (name, long) in edges
        },
    )


def _between(connection: Connection, where: tuple[str, str, float, float], now: float) -> WindowSums:
    prediction, loss = predictions.c, row_losses.c
    surprise = (1 - loss.loss) - loss.confidence
    counts = (prediction.row_count, prediction.confidence_sum, prediction.confidence_variance_sum)
    predicted, confidence, variance = _sums(connection, predictions, where, counts)
    of_losses = (1, loss.loss, surprise, surprise * surprise)
    labelled, wrong, surprised, squared = _sums(connection, row_losses, where, of_losses)
    waiting = _open(connection, where, now)
    return WindowSums(int(predicted), confidence, variance, int(labelled), wrong, surprised, squared, waiting)


def _open(connection: Connection, where: tuple[str, str, float, float], now: float) -> int:
    model, digest, since, until = where
    column = horizons.c
    query = select(func.coalesce(func.sum(column.row_count), 0)).where(
        *(column.model == model, column.settled_at.is_(None), column.closes_at >= now),
        *(column.digest == digest, column.predicted_at >= since, column.predicted_at < until),
    )
    return int(connection.scalar(query) or 0)


def _sums(
    connection: Connection, table: Table, where: tuple[str, str, float, float], summed: Sequence[Any]
) -> Sequence[float]:
    model, digest, since, until = where
    column = table.c
    query = select(*(func.coalesce(func.sum(value), 0) for value in summed)).where(
        column.model == model, column.digest == digest, column.predicted_at >= since, column.predicted_at < until
    )
    return connection.execute(query).one()
