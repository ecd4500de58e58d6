"""One error budget for all challengers that meet one champion."""

from __future__ import annotations

from evertune.statistics._checks import check_open_unit


def spend(error_rate: float, k: int) -> float:
    """The error rate of the k-th gate since the champion came: error_rate / (k (k + 1)).

    The shares telescope, 1 / (k (k + 1)) = 1 / k - 1 / (k + 1), so however many challengers come, the chance that any
    of those that are not better is promoted over this champion is at most `error_rate` (union bound).

    Source: alpha spending, K. K. G. Lan and D. L. DeMets, "Discrete sequential boundaries for clinical trials",
    Biometrika 70 (1983); with an endless series as in D. P. Foster and R. A. Stine, "alpha-investing", JRSS B 70
    (2008).

    Args:
        error_rate: Of the whole reign of one champion, in (0, 1).
        k: 1 for the first gate.

    Raises:
        ValueError: `k` is below 1 or the rate outside (0, 1).

    Example:
        >>> [round(spend(0.05, k), 5) for k in (1, 2, 3)]
        [0.025, 0.00833, 0.00417]
    """
    check_open_unit("error_rate", error_rate)
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k!r}")
    return error_rate / (k * (k + 1))
