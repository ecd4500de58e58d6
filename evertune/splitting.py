"""From all rows of a task to its four splits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from evertune.errors import DataError
from evertune.rows import Rows
from evertune.task import Splits

TRAIN_RATIO = 0.7
_RATIOS = (TRAIN_RATIO, 0.1, 0.05, 0.15)


def split(
    rows: Rows, *, ratios: tuple[float, float, float, float] = _RATIOS, shuffle_seed: int | None = None
) -> Splits:
    """Cuts rows into train, validation, calibration and test, in the order given.

    Rows in time order stay in it: what is judged on is newer than what is learned from, as it will be in service.
    Whatever is fitted on training rows (a vocabulary, a mean) must see the first `ratios[0]` of the rows only.

    Args:
        rows: All rows.
        ratios: Of train, validation, calibration, test; their sum is 1.
        shuffle_seed: Rows without an order are shuffled first; the same seed gives the same order.

    Raises:
        DataError: The ratios do not add up, or leave a split without a row.
    """
    if abs(sum(ratios) - 1) > 1e-9 or min(ratios) <= 0:
        raise DataError(f"split ratios {ratios} are not positive with a sum of 1", fix="Give four such shares.")
    if shuffle_seed is not None:
        rows = rows.take(np.random.default_rng(shuffle_seed).permutation(len(rows)))
    edges = [0, *(round(edge * len(rows)) for edge in np.cumsum(ratios))]
    parts = [rows.take(slice(start, stop)) for start, stop in pairwise(edges)]
    if min(map(len, parts)) == 0:
        raise DataError(f"{len(rows)} rows are too few for four splits", fix="Give at least 50 rows.")
    return Splits(*parts)


def train_rows(count: int, ratio: float = TRAIN_RATIO) -> slice:
    """The rows of `count` in order that `split` puts into train, for fitting a preprocessor.

    Example:
        >>> train_rows(1000)
        slice(0, 700, None)
    """
    return slice(0, round(ratio * count))
