"""Figures as people read them, in the units that the dashboards use."""

from __future__ import annotations

from collections.abc import Sequence

_LENGTHS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_SIZES = ((1024.0**3, "GiB"), (1024.0**2, "MiB"), (1024.0, "KiB"))
_COUNTS = ((1e9, "G"), (1e6, "M"), (1e4, "K"))


def text(value: float, unit: str, decimals: int | None = None) -> str:
    """A value in a unit of Grafana.

    Args:
        value: Finite.
        unit: "percentunit", "s", "bytes", "reqps" or "short".
        decimals: None for three significant digits.

    Example:
        >>> [text(0.9312, "percentunit"), text(0.0123, "s"), text(7200, "s"), text(2048, "bytes"), text(0, "short")]
        ['93.1%', '12.3 ms', '2 h', '2 KiB', '0']
    """
    if unit == "percentunit":
        return f"{_digits(value * 100, decimals)}%"
    if unit == "s":
        return _scaled(value, _LENGTHS, decimals, "s")
    if unit == "bytes":
        return _scaled(value, _SIZES, decimals, "B")
    if unit == "reqps":
        return f"{_digits(value, decimals)}/s"
    scale = next((each for each in _COUNTS if abs(value) >= each[0]), None)
    return _digits(value, decimals) if scale is None else f"{_digits(value / scale[0], decimals)}{scale[1]}"


def _scaled(value: float, scales: Sequence[tuple[float, str]], decimals: int | None, smallest: str) -> str:
    for size, name in scales:
        if abs(value) >= size:
            return f"{_digits(value / size, decimals)} {name}"
    return f"{_digits(value, decimals)} {smallest}"


def _digits(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}"
