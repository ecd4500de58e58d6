"""One step of a story."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cli.output import local_time


@dataclass(frozen=True)
class Part:
    """What a step says, for people and for programs.

    Attributes:
        name: "cause", "data", "trials", "candidates", "test", "decision", "recovery".
        lines: Sentences with figures.
        figures: The same, as JSON.
    """

    name: str
    lines: tuple[str, ...]
    figures: Any = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {"lines": list(self.lines), "figures": self.figures}


def count(number: float, noun: str) -> str:
    """A number with its noun.

    Example:
        >>> count(1, "row"), count(1205, "row")
        ('1 row', '1,205 rows')
    """
    return f"{number:,.0f} {noun}" + ("" if number == 1 else "s")


def accuracy(value: dict[str, Any] | None) -> str:
    """A share of right rows with its 95% interval.

    Example:
        >>> accuracy({"ratio": 0.875, "rows": 80, "interval": {"lower": 0.785, "upper": 0.931}})
        '0.875 [0.785, 0.931] on 80 rows'
    """
    if value is None or value["ratio"] is None:
        return "unknown: no labelled rows"
    interval = value["interval"]
    figures = f"{value['ratio']:.3f} [{interval['lower']:.3f}, {interval['upper']:.3f}]"
    return f"{figures} on {count(value['rows'], 'row')}"


def span(since: float, until: float) -> str:
    """From when to when, for people."""
    first, last = local_time(since), local_time(until)
    same_day = first[:10] == last[:10]
    return f"{first} to {last[11:] if same_day else last}"
