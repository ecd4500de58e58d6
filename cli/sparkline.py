"""A learning curve in one line of text."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 12, *, ascii_only: bool = False) -> str:
    """The last `width` values, from the lowest to the highest of them.

    Args:
        values: In order.
        width: Letters at most.
        ascii_only: For terminals without block elements.

    Example:
        >>> sparkline([0.1, 0.5, 0.9, 0.9])
        '▁▅██'
    """
    shown = list(values)[-width:]
    if not shown:
        return ""
    bars = "_.-=*#" if ascii_only else _BARS
    low, high = min(shown), max(shown)
    scale = (len(bars) - 1) / (high - low) if high > low else 0.0
    return "".join(bars[round((value - low) * scale)] if scale else bars[len(bars) // 2] for value in shown)
