"""The search's memory: one append-only file of JSON lines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from evertune.clock import Clock, system_clock
from evertune.errors import SearchError
from evertune.files import sync_folder


class Journal:
    """Appends are on disk when `append` returns; a line torn by a kill is dropped when the file is opened again.

    One process writes a journal. Nothing in it is ever rewritten.

    Args:
        path: Created where missing, with its folder.
        clock: Of entries.

    Raises:
        SearchError: A whole line is not an entry: the file was damaged by something else than a kill.
    """

    def __init__(self, path: Path, *, clock: Clock = system_clock) -> None:
        self.path = path
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        self.entries, valid_bytes = read_entries(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.ftruncate(self._file, valid_bytes)
        os.lseek(self._file, 0, os.SEEK_END)
        sync_folder(path.parent)

    def append(self, event: str, **content: Any) -> None:
        """Writes one entry, `{"event": event, "at": seconds since the epoch, **content}`, and waits for the disk.

        Raises:
            ValueError: The content holds NaN or infinity, for which JSON has no word.
            OSError: The disk is full, say; nothing was written.
        """
        entry = {"event": event, "at": round(self._clock(), 3), **content}
        line = json.dumps(entry, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        start = os.lseek(self._file, 0, os.SEEK_CUR)
        try:
            view = memoryview(line)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError:  # a full disk, say: half a line must not stand before whatever is written next
            os.ftruncate(self._file, start)
            os.lseek(self._file, start, os.SEEK_SET)
            raise
        self.entries.append(json.loads(line))

    def close(self) -> None:
        """Releases the file."""
        os.close(self._file)


class Follower:
    """Reads a journal while another writes it.

    Args:
        path: Need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> list[dict[str, Any]]:
        """Whole entries since the call before."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [_entry(line) for line in whole.splitlines()]


def read_entries(path: Path) -> tuple[list[dict[str, Any]], int]:
    """All whole entries, and the bytes they take; none where there is no file.

    Raises:
        SearchError: See `Journal`.
    """
    entries: list[dict[str, Any]] = []
    content = path.read_bytes() if path.exists() else b""
    valid_bytes = content.rfind(b"\n") + 1  # a torn last line has no end
    for number, line in enumerate(content[:valid_bytes].splitlines(), 1):
        try:
            entries.append(_entry(line))
        except ValueError as error:  # not JSON, or not even text
            raise SearchError(
                f"line {number} of {path} is no entry of a journal: {error}",
                fix="Restore the file from a backup, or delete the study's folder and search again.",
                file=str(path),
                line=number,
            ) from error
    return entries, valid_bytes


def _entry(line: bytes) -> dict[str, Any]:
    entry = json.loads(line)
    if not isinstance(entry, dict) or "event" not in entry:
        raise ValueError("no object with an event")
    return entry
