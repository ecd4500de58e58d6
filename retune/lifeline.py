"""A child's tie to its parent: the process group dies with the pipe."""

from __future__ import annotations

import os
import signal
import threading
from typing import BinaryIO


def die_with(pipe: BinaryIO) -> None:
    """From now on, when the other end of `pipe` is closed, the whole process group of this process is killed.

    Works where PR_SET_PDEATHSIG does not: for grandchildren, on macOS, and when it is the parent's thread that ends.
    Call it in a process that leads its own group (`start_new_session=True`), or the parent is killed too.
    """
    threading.Thread(target=_watch, args=(pipe,), name="lifeline", daemon=True).start()


def _watch(pipe: BinaryIO) -> None:
    while pipe.read(1):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)
