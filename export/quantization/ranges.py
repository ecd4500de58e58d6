"""What activations come to, for their rounding."""

from __future__ import annotations

from typing import Any


class Ranges:
    """Least and largest value of what each product takes in, by its place in the order of calls."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[float, float]] = {}

    def widen(self, place: int, value: Any) -> None:
        """Takes in one more array or tensor. Zero is always inside: padding must be exact."""
        low, high = self._found.get(place, (0.0, 0.0))
        self._found[place] = min(low, float(value.min())), max(high, float(value.max()))

    def step(self, place: int) -> tuple[float, int]:
        """Scale and zero point of U8; a value never seen is as if it were all zeros."""
        low, high = self._found.get(place, (0.0, 0.0))
        scale = max((high - low) / 255, 1e-12)
        return scale, max(0, min(255, round(-low / scale)))
