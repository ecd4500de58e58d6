"""A one-sided upper bound of a mean loss: the reference that monitoring compares with."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from evertune.statistics._betting import upper_end
from evertune.statistics._checks import Values, check_open_unit, unit_values


def upper_bound(losses: Values, confidence_level: float = 0.95) -> float:
    """A number that is at least the expected loss with probability at least `confidence_level`.

    Exact for any distribution of the losses, and any number of them: for losses that are all 0 or 1 the one-sided
    Clopper-Pearson bound; otherwise the betting bound, which adapts to the variance. The second depends a little on the
    order of the losses.

    Sources: Clopper and Pearson, Biometrika 26 (1934); I. Waudby-Smith and A. Ramdas, "Estimating means of bounded
    random variables by betting", JRSS B 86 (2024).

    Args:
        losses: Independent, of one distribution (or exchangeable rows of it), in [0, 1], shape (n,). None: bound 1.
        confidence_level: In (0, 1).

    Raises:
        ValueError: A loss outside [0, 1], or a level outside (0, 1).

    Example:
        >>> round(upper_bound([1.0] * 100 + [0.0] * 900), 4)
        0.117
        >>> upper_bound([])
        1.0
    """
    check_open_unit("confidence_level", confidence_level)
    values = unit_values("losses", losses)
    if not np.isin(values, (0.0, 1.0)).all():
        return upper_end(values, 1 - confidence_level)
    n, wrong = len(values), int(values.sum())
    return float(betaincinv(wrong + 1, n - wrong, confidence_level)) if wrong < n else 1.0
