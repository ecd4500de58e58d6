"""One line of a file of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """What a line says; nothing of it is checked yet.

    Attributes:
        line: Number in the file, from 1; of a Parquet file, the number of the row.
        row_id: As in the file; anything, where the file is wrong.
        label: Class name or index.
        at: Time of the label, for the order; 0 where no time column was named.
        problem: Why the line cannot be read at all; the other fields mean nothing then.
    """

    line: int
    row_id: Any = None
    label: Any = None
    at: Any = 0.0
    problem: str | None = None


@dataclass(frozen=True)
class Columns:
    """Names of the columns that count, `at` may be absent; and whether the labels are `final`, see `Label`."""

    row_id: str = "id"
    label: str = "label"
    at: str | None = None
    final: bool = False

    @property
    def names(self) -> list[str]:
        """All that a file must have."""
        return [self.row_id, self.label, *([self.at] if self.at is not None else [])]
