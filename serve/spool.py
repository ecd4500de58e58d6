"""The prediction spool: what a worker has answered, on disk before the answer leaves.

Each worker owns a folder `<spool>/<owner>/` and holds an exclusive lock on the `lock` file in it while it lives. It
appends to one `<number>.open` file at a time; closing one renames it to `<number>.closed`, and whoever has written a
closed file into the ledger removes it. The kernel keeps what was written when the process is killed; a power cut may
take the last second.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from evertune.errors import OverloadedError
from serve.frames import frame

OPEN, CLOSED, LOCK = ".open", ".closed", "lock"
_SEGMENT_BYTES = 8_000_000  # one transaction of the ledger takes about that much


class Spool:
    """The spool of one worker. Not safe for threads: the event loop alone writes.

    Args:
        root: Folder of all spools of the project.
        limit_bytes: Most that may wait for the ledger; beyond it predictions are refused, not lost.
    """

    def __init__(self, root: Path, *, limit_bytes: int) -> None:
        self.folder = root / f"{os.getpid()}-{secrets.token_hex(4)}"
        self.folder.mkdir(parents=True)
        self._lock = (self.folder / f".{LOCK}").open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self.folder / f".{LOCK}").rename(self.folder / LOCK)  # held from the moment that others can see it
        self._limit_bytes = limit_bytes
        self._number = 0
        self._size_bytes = 0
        self._waiting_bytes = 0  # in closed files, as of the last `rotate`
        self._descriptor = self._open(self._number)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that are not known to be in the ledger yet."""
        return self._waiting_bytes + self._size_bytes

    def append(self, record: bytes) -> None:
        """Writes one record, whole or not at all.

        Raises:
            OverloadedError: The spool is full, or the disk is.
        """
        data = frame(record)
        if self.waiting_bytes + len(data) > self._limit_bytes:
            raise OverloadedError("the prediction spool is full", fix="Check that the ledger takes writes.")
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError as error:
            os.ftruncate(self._descriptor, self._size_bytes)  # a torn record must not hide the next one
            raise OverloadedError(f"the prediction spool takes no writes: {error}", fix="Free disk space.") from error
        self._size_bytes += len(data)
        if self._size_bytes >= _SEGMENT_BYTES:
            with contextlib.suppress(OSError):  # the record is safe; `DrainProcess` tries again, and logs the error
                self.rotate()

    def rotate(self) -> None:
        """Closes the current file, where it holds anything, so that it can go to the ledger.

        Raises:
            OSError: There is no room for the next file, or no descriptor; the current one goes on.
        """
        if self._size_bytes:
            following = self._open(self._number + 1)  # first: a closed descriptor may become anybody's socket
            current = self._path(self._number, OPEN)
            current.rename(current.with_suffix(CLOSED))
            os.close(self._descriptor)
            self._number, self._descriptor, self._size_bytes = self._number + 1, following, 0
        self._waiting_bytes = sum(_size(path) for path in self.folder.glob(f"*{CLOSED}"))

    def close(self) -> None:
        """Closes the last file and gives up the lock: what is left belongs to whoever drains next."""
        self.rotate()
        os.close(self._descriptor)
        self._path(self._number, OPEN).unlink()
        self._lock.close()

    def _open(self, number: int) -> int:
        return os.open(self._path(number, OPEN), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number:010d}{suffix}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # drained meanwhile
        return 0
