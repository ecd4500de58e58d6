"""How far what comes in has moved since the champion was deployed, feature by feature. A hint, never a trigger."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from evertune.ledger import Prediction
from evertune.ledger.schema import predictions
from evertune.tensors import Array
from monitoring.features import features

_ROWS = 300  # on each side: enough to see a shift of a third of a standard deviation, read in milliseconds
_FEWEST_ROWS = 100
_MOST_FEATURES = 20  # those that moved furthest are shown
_SIGNIFICANCE = 0.01
_REFRESH_SECONDS = 60.0
_IN_INDEX_ORDER = (predictions.c.predicted_at, predictions.c.request_id)


@dataclass(frozen=True)
class FeatureDrift:
    """Of one champion.

    Attributes:
        statistics: Two-sample Kolmogorov-Smirnov distance in [0, 1] by feature, the largest first.
        threshold: Where no feature has moved, the chance that any distance is above this is at most 1%.
    """

    statistics: dict[str, float]
    threshold: float


class FeatureDrifts:
    """Compares the first rows that a champion predicted with its newest ones. Read in the background, kept a minute.

    Example:
        `drifts.refresh(connection, "fashion", digest, since, now)`, then `drifts.of("fashion", digest)`
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, float, FeatureDrift]] = {}

    def of(self, model: str, digest: str) -> FeatureDrift | None:
        """What the last refresh found; None where that was too little, or about another bundle."""
        kept = self._kept.get(model)
        return None if kept is None or kept[0] != digest else kept[2]

    def refresh(self, connection: Connection, model: str, digest: str, since: float, now: float) -> None:
        """Compares again, unless that was done a minute ago or less.

        Args:
            connection: To the ledger.
            model: Name.
            digest: Of its champion.
            since: Rows predicted before it do not count, see `Tenure`.
            now: Seconds since the epoch.
        """
        kept = self._kept.get(model)
        if kept is not None and kept[0] == digest and 0 <= now - kept[1] < _REFRESH_SECONDS:
            return
        found = _compare(connection, model, digest, since)
        if found is not None:
            self._kept[model] = (digest, now, found)


def distance(first: Array, second: Array) -> float:
    """Kolmogorov-Smirnov distance of two samples: the largest difference of their distribution functions.

    Example:
        >>> distance(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
        0.5
    """
    grid = np.concatenate((first, second))
    shares = (np.searchsorted(np.sort(each), grid, side="right") / len(each) for each in (first, second))
    return float(np.abs(np.subtract(*shares)).max())


def threshold(rows: int, other_rows: int, tests: int) -> float:
    """Distance that the largest of so many tests exceeds with a chance of at most 1% where nothing has moved.

    Source: N. Smirnov, "Table for estimating the goodness of fit of empirical distributions" (1948), asymptotic, with
    Bonferroni's correction; conservative for values that repeat.

    Example:
        >>> round(threshold(300, 300, 1), 3)
        0.133
    """
    level = _SIGNIFICANCE / tests
    return math.sqrt(-math.log(level / 2) / 2 * (rows + other_rows) / (rows * other_rows))


def _compare(connection: Connection, model: str, digest: str, since: float) -> FeatureDrift | None:
    column = predictions.c
    mine = select(predictions).where(column.model == model, column.digest == digest, column.inputs.is_not(None))
    first = _read(connection, mine.where(column.predicted_at >= since).order_by(*_IN_INDEX_ORDER))
    if not first:
        return None
    later = mine.where(column.predicted_at > first[-1].predicted_at)
    newest = _read(connection, later.order_by(*(each.desc() for each in _IN_INDEX_ORDER)))
    before, now = features(first), features(newest)
    rows, other_rows = (min(len(each.get("confidence", ())), _ROWS) for each in (before, now))
    if min(rows, other_rows) < _FEWEST_ROWS:
        return None
    found = {name: distance(values[:rows], now[name][:other_rows]) for name, values in before.items() if name in now}
    largest = sorted(found.items(), key=lambda pair: -pair[1])[:_MOST_FEATURES]
    return FeatureDrift(dict(largest), threshold(rows, other_rows, len(found)))


def _read(connection: Connection, query: Any) -> Sequence[Prediction]:
    """The first predictions of the query that have `_ROWS` rows together, or all."""
    found = [Prediction.from_row(row) for row in connection.execute(query.limit(_ROWS))]
    before = [0, *accumulate(prediction.rows for prediction in found)]
    return [prediction for prediction, rows in zip(found, before, strict=False) if rows < _ROWS]
