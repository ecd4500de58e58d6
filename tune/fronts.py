"""The order of trials that have several objectives."""

from __future__ import annotations

from collections.abc import Sequence

from tune.pareto import non_dominated


def by_fronts(costs: Sequence[Sequence[float]]) -> list[int]:
    """Indices, the best first: those that nothing beats, then those that only these beat, and so on.

    Within a front the first objective decides; of equals, who came first.

    Args:
        costs: One row a trial, smaller is better in every column.

    Example:
        >>> by_fronts([(3.0, 3.0), (2.0, 2.0), (1.0, 5.0)])
        [2, 1, 0]
    """
    left = sorted(range(len(costs)), key=lambda index: costs[index][0])
    if not costs or len(costs[0]) == 1:
        return left
    found: list[int] = []
    while left:
        front = {left[place] for place in non_dominated([costs[index] for index in left])}
        found += [index for index in left if index in front]
        left = [index for index in left if index not in front]
    return found
