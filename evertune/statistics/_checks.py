"""Checks at entry that several statistics share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64] | Iterable[float]


def check_counts(successes: int, n: int) -> None:
    """Raises ValueError unless 0 <= successes <= n."""
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie in [0, n], got {successes!r} of {n!r}")


def check_open_unit(name: str, value: float) -> None:
    """Raises ValueError unless 0 < value < 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie in (0, 1), got {value!r}")


def unit_values(name: str, values: Values) -> npt.NDArray[np.float64]:
    """`values` as a float64 vector; raises ValueError unless all of them lie in [0, 1] (NaN does not)."""
    array = np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape!r}")
    inside = (array >= 0) & (array <= 1)
    if not inside.all():
        raise ValueError(f"{name} must lie in [0, 1], got {float(array[~inside][0])!r}")
    return array
