"""One search at a time in a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evertune.errors import SearchError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock. The kernel lets go of it when this process ends, however it ends.

    Raises:
        SearchError: Another search holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SearchError(
                f"another search runs in {folder}", fix="Wait for it, or choose another folder.", folder=str(folder)
            ) from error
        yield
