"""A map from what a model says about itself to how often it is right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evertune.statistics._checks import unit_values

Knots = tuple[tuple[float, ...], tuple[float, ...]]


def calibrate(confidence: npt.NDArray[np.floating], correct: npt.NDArray[np.generic]) -> Knots:
    """Isotonic regression of being right on raw confidence, as the knots of a piecewise linear map.

    Of all non-decreasing maps the one with the least squared error on the rows given, interpolated in between. On these
    rows its mean equals the accuracy. Read it with `numpy.interp`, which holds the end values outside.

    Sources: pool adjacent violators, M. Ayer et al., Annals of Mathematical Statistics 26 (1955); for classifiers,
    B. Zadrozny and C. Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002.

    Args:
        confidence: Raw top probability, shape (rows,), in [0, 1].
        correct: True where the most probable class was right, or 1 - loss where losses lie between 0 and 1; shape
            (rows,).

    Returns:
        Strictly increasing x and non-decreasing y, both in [0, 1].

    Raises:
        ValueError: No rows, unequal lengths, or a confidence outside [0, 1].

    Example:
        >>> calibrate(np.array([0.2, 0.4, 0.6, 0.8]), np.array([0, 1, 0, 1]))
        ((0.2, 0.4, 0.6, 0.8), (0.0, 0.5, 0.5, 1.0))
    """
    x = unit_values("confidence", np.asarray(confidence, dtype=np.float64))
    hits = unit_values("correct", np.asarray(correct, dtype=np.float64))
    if len(x) == 0 or len(x) != len(hits):
        raise ValueError(f"confidence and correct must have equally many rows, got {len(x)} and {len(hits)}")
    points, which = np.unique(x, return_inverse=True)
    blocks = _pool(np.bincount(which, weights=hits), np.bincount(which, weights=np.ones(len(x))))
    knots: dict[float, float] = {}
    start = 0
    for total, weight, size in blocks:
        knots[float(points[start])] = knots[float(points[start + size - 1])] = total / weight
        start += size
    return tuple(knots), tuple(knots.values())


def _pool(hits: npt.NDArray[np.generic], rows: npt.NDArray[np.generic]) -> list[tuple[float, float, int]]:
    """Blocks (hits, rows, points) with non-decreasing means: a block below its predecessor is merged into it."""
    blocks: list[tuple[float, float, int]] = []
    for total, weight in zip(hits.tolist(), rows.tolist(), strict=True):
        blocks.append((total, weight, 1))
        while len(blocks) > 1 and blocks[-1][0] * blocks[-2][1] <= blocks[-2][0] * blocks[-1][1]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    return blocks
