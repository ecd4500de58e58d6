"""Work that no other process can do, stopped when it takes too long."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from export.converters.failed import too_slow

_AGAIN_SECONDS = 1.0  # where somebody swallowed the first alarm

Result = TypeVar("Result")


class _LateError(BaseException):
    """No `Exception`: exporters catch those and go on."""


def limited(work: Callable[[], Result], *, seconds: float, what: str) -> Result:
    """What `work` gives, computed here.

    An alarm ends it between two steps of Python, of which exporters mostly consist; what hangs in a library is not
    ended. Only a main thread hears signals: elsewhere there is no limit, nor where another alarm is due before.

    Args:
        work: Leaves nothing half done when an exception comes at any of its lines.
        seconds: As long as it may take.
        what: For messages: "torch's exporter".

    Raises:
        RouteError: It took too long.
    """
    start, due_seconds = time.monotonic(), signal.getitimer(signal.ITIMER_REAL)[0]
    if threading.current_thread() is not threading.main_thread() or 0 < due_seconds <= seconds:
        return work()
    is_over = False

    def late(*_: object) -> None:
        if not is_over:
            raise _LateError

    former = signal.signal(signal.SIGALRM, late)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
        return work()
    except _LateError:
        raise too_slow(what, seconds) from None
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
        if due_seconds:
            signal.setitimer(signal.ITIMER_REAL, max(due_seconds - (time.monotonic() - start), 1e-3))
