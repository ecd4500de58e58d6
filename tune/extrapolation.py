"""Where a learning curve seems to end."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

_LEAST_EPOCHS = 3  # of a curve that has a slope


def extrapolate(losses: Mapping[int, float], epoch: int, max_epochs: int) -> float:
    """The best loss by the last epoch, were the best so far to fall on as it does.

    A straight line through the best loss so far over the logarithm of the epoch, in the last two thirds of the curve.
    Learning curves fall by a power of the epoch or slower (Viering and Loog 2023, "The Shape of Learning Curves: A
    Review"), so the line errs on the side of trials that still learn, which is what a rung must not cut. Ranks are all
    that it is used for: it need not be right, only fair.

    Args:
        losses: By epoch, counted from one; the smaller the better.
        epoch: The last one done.
        max_epochs: Of the whole training.

    Example:
        >>> round(extrapolate({1: 1.0, 2: 0.8, 3: 0.7}, 3, max_epochs=9), 2)
        0.4
        >>> extrapolate({1: 1.0}, 1, max_epochs=9)
        1.0
    """
    epochs = sorted(each for each in losses if each <= epoch)
    best = np.minimum.accumulate([losses[each] for each in epochs])
    recent = [index for index, each in enumerate(epochs) if each >= epoch // _LEAST_EPOCHS]
    if epoch < _LEAST_EPOCHS or len(recent) < _LEAST_EPOCHS:
        return float(best[-1])
    slope = float(np.polyfit(np.log([epochs[index] for index in recent]), best[recent], 1)[0])
    return float(best[-1]) + min(0.0, slope) * math.log(max_epochs / epoch)
