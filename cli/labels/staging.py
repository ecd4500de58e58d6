"""Checked labels, kept on disk until the whole file is known to be good."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NamedTuple


class Staged(NamedTuple):
    """A label that can be stored.

    Attributes:
        row_id: `<request id>:<row>`.
        label: The number that the ledger keeps.
        before: What an earlier line of the same file says of the row; None where none does.
        at: Time of the label; 0 where no time column was named.
    """

    row_id: str
    label: float
    before: float | None
    at: float


class Staging:
    """Labels in the order in which they will be stored, in a temporary file of SQLite's. Use it in a `with` block."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("")  # a private file that is gone with the connection
        self._connection.execute("CREATE TABLE staged (line INTEGER PRIMARY KEY, row TEXT, label REAL, at REAL)")
        self.rows = 0

    def add(self, rows: Sequence[tuple[int, str, float, float]]) -> None:
        """Adds (line, row id, label, time) of each label; the order is by time, then by line."""
        self._connection.executemany("INSERT INTO staged VALUES (?, ?, ?, ?)", rows)
        self.rows += len(rows)

    def batches(self, size: int) -> Iterator[list[Staged]]:
        """All labels in order, at most `size` at once."""
        cursor = self._connection.execute(
            "SELECT row, label, lag(label) OVER (PARTITION BY row ORDER BY at, line), at FROM staged ORDER BY at, line"
        )
        while batch := cursor.fetchmany(size):
            yield [Staged(*row) for row in batch]

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
