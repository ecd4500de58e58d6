"""What a trial is worth before it is run, from what a Gaussian process says of it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Array = npt.NDArray[np.float64]

_FAR = -20.0  # deviations; below, the textbook formula cancels to nothing


def log_expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Logarithm of E[max(0, best - cost)], so that far from the best there is still a slope to climb.

    Ament et al. 2023, "Unexpected improvements to expected improvement".
    """
    score = (best - mean) / deviation
    near = np.maximum(score, _FAR)
    density = -0.5 * np.square(score) - 0.5 * math.log(2 * math.pi)
    with np.errstate(divide="ignore"):
        value = np.log(near * ndtr(near) + np.exp(-0.5 * np.square(near)) / math.sqrt(2 * math.pi))
    tail = density - 2 * np.log(np.maximum(-score, 1.0))
    found: Array = np.log(deviation) + np.where(score > _FAR, value, tail)
    return found


def log_expected_hypervolume_improvement(means: Array, deviations: Array, front: Array, reference: Array) -> Array:
    """Logarithm of what a point is expected to add to the area that a front of two costs dominates.

    The area outside it falls into strips, one between each two neighbours. What a point covers of a strip is the
    product of two improvements; as the two predictions are independent, so is its expectation (Emmerich, Deutz and
    Klinkenberg 2011).

    Args:
        means: Shape (points, 2).
        deviations: Likewise.
        front: Costs that no other beats, shape (points, 2), in rising order of the first.
        reference: Where the area ends.
    """
    edges = np.concatenate([[-np.inf], front[:, 0], reference[:1]])
    heights = np.concatenate([reference[1:], front[:, 1]])
    reached = np.column_stack([_improvement(means[:, 0], deviations[:, 0], edge) for edge in edges])
    below = np.column_stack([_improvement(means[:, 1], deviations[:, 1], height) for height in heights])
    found: Array = np.log((np.diff(reached, axis=1) * below).sum(axis=1).clip(1e-300))
    return found


def _improvement(mean: Array, deviation: Array, bound: float) -> Array:
    """E[max(0, bound - cost)]."""
    if math.isinf(bound):
        return np.zeros_like(mean)
    score = (bound - mean) / deviation
    found: Array = deviation * (score * ndtr(score) + np.exp(-0.5 * np.square(score)) / math.sqrt(2 * math.pi))
    return found
