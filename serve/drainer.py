"""From the spool into the ledger, in a process of its own.

`python -m serve.drainer PROJECT SPOOL` is started by a worker and lives as long as the worker's end of its standard
input is open. A process rather than a thread: writing a prediction into the database costs more than answering it, and
in a thread it would take that time from the worker's own interpreter.

It drains the closed files of its worker, and whole spools whose owner is dead (their lock is free): those of a worker
that was killed, at the next start or by a neighbour. Draining twice is harmless, since request ids are unique.
"""

from __future__ import annotations

import fcntl
import logging
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from evertune.ledger import Ledger, Prediction
from evertune.settings import load_project
from serve import frames
from serve.record import BatchRecord
from serve.spool import CLOSED, LOCK, OPEN

_ORPHANS_SECONDS = 2.0  # between two looks for spools of dead workers
_log = logging.getLogger("evertune.serve.drainer")


class Drainer:
    """Moves predictions from spools to the ledger.

    Args:
        root: Folder of all spools.
        own: Folder of the worker that this drainer serves; None: only what the dead left.
        ledger: Where they go.
    """

    def __init__(self, root: Path, own: Path | None, ledger: Ledger) -> None:
        self._root, self._own, self._ledger = root, own, ledger

    def drain_own(self) -> int:
        """Drains the closed files of the own, living worker.

        Returns:
            How many predictions were new to the ledger.
        """
        return sum(self._drain(path) for path in sorted(self._own.glob(f"*{CLOSED}"))) if self._own else 0

    def drain_orphans(self) -> int:
        """Drains and removes all spools that nobody holds.

        Returns:
            How many predictions were new to the ledger.
        """
        new = 0
        for folder in sorted(path.parent for path in self._root.glob(f"*/{LOCK}")):
            with _lock(folder) as held:
                if held:
                    new += sum(self._drain(path) for path in _segments(folder))
                    shutil.rmtree(folder)
        return new

    def _drain(self, path: Path) -> int:
        contents = frames.read(path)
        damage = None if path.suffix == OPEN and contents.torn else contents.damage  # a torn end was never answered
        predictions: list[Prediction] = []
        for payload in contents.payloads:
            try:
                predictions += BatchRecord.from_bytes(payload).predictions()
            except Exception as error:  # of another version, say: it must not hold up all that come after it
                damage = f"a record that cannot be read: {type(error).__name__}: {error}"
        new = self._ledger.predictions.add_many(predictions)
        if damage is None:
            path.unlink()
        else:
            kept = self._root / f"damaged-{path.parent.name}-{path.name}"
            path.rename(kept)
            _log.error("%s: what could be read is saved, the file is kept as %s", damage, kept)
        return new


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Whether the spool is ours for the moment."""
    try:
        file = (folder / LOCK).open("rb")
    except FileNotFoundError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield (folder / LOCK).exists()  # another drainer may have removed it meanwhile


def _segments(folder: Path) -> list[Path]:
    return sorted((*folder.glob(f"*{CLOSED}"), *folder.glob(f"*{OPEN}")))


def serve_parent(drainer: Drainer, stream: int, interval_seconds: float) -> None:
    """Drains until the other end of `stream` is closed, then once more.

    Args:
        drainer: Does the work.
        stream: File descriptor; any byte on it asks for a drain now, its end says that the worker is gone.
        interval_seconds: Between two rounds that nobody asked for.
    """
    orphans_at = 0.0
    while True:
        _try(drainer.drain_own)
        if time.monotonic() >= orphans_at:
            _try(drainer.drain_orphans)
            orphans_at = time.monotonic() + _ORPHANS_SECONDS
        readable, _, _ = select.select([stream], [], [], interval_seconds)
        if readable and not os.read(stream, 4096):
            break
    _try(drainer.drain_own)
    _try(drainer.drain_orphans)  # the worker's own spool among them: its lock went with it


def _try(step: Callable[[], int]) -> None:
    try:
        step()
    except Exception as error:  # the ledger may be away; the spool waits
        _log.error("cannot drain, trying again: %s", error)


def main() -> None:
    """Entry point of the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # sent to the whole group; the end of the stream is what counts
    os.nice(5)  # answering comes first; the spool is there to wait
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    project = load_project(Path(sys.argv[1]))
    with Ledger.open(project.ledger_url) as ledger:
        drainer = Drainer(project.spool, Path(sys.argv[2]), ledger)
        serve_parent(drainer, sys.stdin.fileno(), project.settings.serve.spool_drain_seconds)


if __name__ == "__main__":
    main()
