"""Costs of trials as a Gaussian process likes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_OFFSETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # in units of what the median is above the best


def warped(costs: Array) -> Array:
    """Logarithm of the distance to the best, plus an offset, with mean 0 and standard deviation 1.

    Losses lie orders of magnitude apart; what matters lies among the small ones. Of some offsets, the one under which
    the costs are most like a sample of a normal law (Box and Cox 1964): with a large one little is bent. Scale and
    origin of the costs make no difference.
    """
    above = costs - costs.min()
    scale = np.median(above) or above.mean()
    if not scale:
        return np.zeros_like(costs)
    bent = [np.log(above / scale + offset) for offset in _OFFSETS]
    likelihoods = [-len(costs) * np.log(each.std()) - each.sum() for each in bent]
    best = bent[int(np.argmax(likelihoods))]
    standard: Array = (best - best.mean()) / best.std()
    return standard
