"""The largest probability of an event along a path of laws, bounded from above without a gap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

_FIRST_CELLS, _CHILDREN, _MOST_ROUNDS = 48, 4, 40


def supremum(
    probability: Callable[[Vector], Vector],
    angle: Callable[[Vector, Vector], Vector],
    edges: Vector,
    slack: float,
    target: float | None = None,
) -> float:
    """At least the supremum of `probability` over [edges[0], edges[-1]], and at most `slack` (or 1%) above it.

    Branch and bound: no event's probability f moves faster between two laws than their Bhattacharyya angle allows,
    |asin sqrt f - asin sqrt g| <= angle (the angle between two-point laws, which cannot exceed that between the laws
    they come from). So the value at the middle of a cell bounds the whole cell, and cells are cut until none can hold
    a larger value.

    Args:
        probability: Of the event, at each parameter.
        angle: Between the laws at two parameters; grows with their distance between neighbouring `edges`.
        edges: Increasing; the path is straight between neighbours.
        slack: Absolute.
        target: Where given, only the side of it matters: a value over `target` is any lower bound of the supremum, a
            value up to `target` any upper bound. This saves most of the work.

    Example:
        >>> hit = lambda p: 2 * p * (1 - p)                       # exactly one head in two throws
        >>> def angle(p, q):
        ...     return np.arccos(np.minimum(1, (np.sqrt(p * q) + np.sqrt((1 - p) * (1 - q))) ** 2))
        >>> 0.5 <= supremum(hit, angle, np.array([0.0, 1.0]), 0.001) <= 0.506
        True
    """
    low, high = _first_cells(edges)
    largest = float(probability(np.unique([edges[0], edges[-1]])).max())
    for _ in range(_MOST_ROUNDS):
        middle = (low + high) / 2
        values = probability(middle)
        largest = max(largest, float(values.max()))
        if target is not None and largest > target:
            return largest
        reach = np.maximum(angle(middle, low), angle(middle, high))
        bound = np.sin(np.minimum(np.arcsin(np.sqrt(np.clip(values, 0, 1))) + reach, np.pi / 2)) ** 2
        ceiling = max(largest + max(slack, 0.01 * largest), target or 0.0)
        open_ = bound > ceiling
        if not open_.any():
            return min(1.0, ceiling)
        low, high = _cut(low[open_], high[open_], _CHILDREN)
    return min(1.0, float(bound.max()))  # never met: each round shrinks the reach by four


def _first_cells(edges: Vector) -> tuple[Vector, Vector]:
    """Cells of about equal angle: equal steps of asin sqrt between neighbouring edges."""
    angles = np.arcsin(np.sqrt(edges))
    low, high = _cut(angles[:-1], angles[1:], _FIRST_CELLS)
    if low.size == 0:
        return edges, edges
    return np.sin(low) ** 2, np.sin(high) ** 2


def _cut(low: Vector, high: Vector, parts: int) -> tuple[Vector, Vector]:
    steps = np.linspace(0, 1, parts + 1)
    points = low[:, None] + (high - low)[:, None] * steps
    return points[:, :-1].ravel(), points[:, 1:].ravel()
