"""What a file of labels is worth, line by line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Problem = Literal["malformed", "unknown_id", "unknown_class"]
_SHOWN = 5  # lines of each kind


@dataclass
class Findings:
    """Lines that cannot be stored, by kind: how many, and the first of them with its reason.

    Example:
        >>> findings = Findings()
        >>> findings.note("unknown_class", 7, "'Shoe' is no class of the model")
        >>> findings.counts["unknown_class"], findings.first["unknown_class"]
        (1, [{'line': 7, 'why': "'Shoe' is no class of the model"}])
    """

    lines: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {"malformed": 0, "unknown_id": 0, "unknown_class": 0})
    first: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def note(self, kind: Problem, line: int, why: str) -> None:
        """Counts a bad line."""
        self.counts[kind] += 1
        shown = self.first.setdefault(kind, [])
        if len(shown) < _SHOWN:
            shown.append({"line": line, "why": why})

    @property
    def bad(self) -> int:
        """Lines that cannot be stored."""
        return sum(self.counts.values())
