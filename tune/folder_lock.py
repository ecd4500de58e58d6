"""One search at a time uses a study's folder."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evertune.errors import SearchError

_FILE = "lock"
_TRIES, _PAUSE_SECONDS = 5, 0.05  # `is_locked` holds it for a moment, too


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder. The kernel lets go of the lock when this process ends, however it ends.

    Raises:
        SearchError: Another search holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _FILE).open("w") as file:
        for attempt in range(_TRIES):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if attempt == _TRIES - 1:
                    raise SearchError(
                        f"another search runs in {folder}",
                        fix="Wait for it, or choose another folder.",
                        folder=str(folder),
                    ) from error
                time.sleep(_PAUSE_SECONDS)
        yield


def is_locked(folder: Path) -> bool:
    """Whether a search runs in the folder now, in whatever process of this machine."""
    try:
        with (folder / _FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
