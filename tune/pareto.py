"""Which points no other point beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def non_dominated(costs: Sequence[Sequence[float]]) -> list[int]:
    """Indices of the points for which no other is at least as good everywhere and better somewhere.

    Args:
        costs: One row a point, smaller is better in every column.

    Example:
        >>> non_dominated([(1, 5), (2, 2), (3, 3), (5, 1)])
        [0, 1, 3]
    """
    if not costs:
        return []
    points = np.asarray(costs, float)
    no_worse = (points[:, None, :] <= points[None, :, :]).all(axis=2)
    better = (points[:, None, :] < points[None, :, :]).any(axis=2)
    return np.flatnonzero(~(no_worse & better).any(axis=0)).tolist()
