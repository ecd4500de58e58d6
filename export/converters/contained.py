"""Work that may hang or take its process with it, done in a copy of this process."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable
from typing import NoReturn

from evertune.errors import ExportError
from export.converters.failed import crashed, from_json, to_json, too_slow

_GOOD, _REFUSED = b"1", b"0"
_CHUNK_BYTES = 1 << 20


def may_fork() -> bool:
    """Whether a copy of this process can compute: TensorFlow's threads and CUDA's state do not survive a fork."""
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    return hasattr(os, "fork") and "tensorflow" not in sys.modules and not on_gpu


def contained(work: Callable[[], bytes], *, seconds: float, what: str) -> bytes:
    """What `work` gives, computed in a copy of this process.

    Args:
        work: Returns bytes, or raises `ExportError`.
        seconds: Then the copy is killed.
        what: For messages: "torch's exporter".

    Raises:
        ExportError: As `work` raised it; a `RouteError` where it took too long, or its process ended without a word.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    with warnings.catch_warnings():
        # Python 3.12 warns of other threads; the copy has none, and computes with one.
        warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)
        process = os.fork()
    if process == 0:
        _answer(work, writing)
    os.close(writing)
    told = _read(reading, seconds)
    os.close(reading)
    if told is None:
        os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    if told is None:
        raise too_slow(what, seconds)
    if not told:
        raise crashed(what, os.waitstatus_to_exitcode(status))
    if told[:1] == _REFUSED:
        raise from_json(json.loads(told[1:]))
    return told[1:]


def _answer(work: Callable[[], bytes], writing: int) -> NoReturn:
    """In the copy: never returns into the caller's code, nor runs its clean-up."""
    try:
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)  # OpenMP's threads do not survive a fork
        with os.fdopen(writing, "wb") as pipe:
            try:
                pipe.write(_GOOD + work())
            except ExportError as error:
                pipe.write(_REFUSED + json.dumps(to_json(error)).encode())
        os._exit(0)
    except BaseException:
        os._exit(1)
    raise AssertionError  # for type checkers: os._exit does not return


def _read(pipe: int, seconds: float) -> bytes | None:
    """Everything until the other end is closed; None where that takes too long."""
    end = time.monotonic() + seconds
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return None
        part = os.read(pipe, _CHUNK_BYTES)
        if not part:
            return b"".join(parts)
        parts.append(part)
