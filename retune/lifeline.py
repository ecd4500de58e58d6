"""A child's tie to its parent: the process group dies with the pipe."""

from __future__ import annotations

import os
import signal
import threading


def die_with(descriptor: int) -> None:
    """From now on, when the other end of a pipe is closed, the whole process group of this process is killed.

    Works where PR_SET_PDEATHSIG does not: for grandchildren, on macOS, and when it is the parent's thread that ends.
    Call it in a process that leads its own group (`start_new_session=True`), or the parent is killed too.

    Args:
        descriptor: The end of the pipe to read from; nobody else may read from it any more.
    """
    threading.Thread(target=_watch, args=(descriptor,), name="lifeline", daemon=True).start()


def _watch(descriptor: int) -> None:
    while os.read(descriptor, 1):  # not through a file object: its lock would be in the way when the process ends
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)
