"""uvicorn's HTTP protocol, with an answer's head and body in one write.

uvicorn gives each to the socket as it comes, so that every answer is two system calls and two packets, for each of
which the client is woken. The two calls were a fifth of the time of a loaded worker.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HOLD_BYTES = 65_536  # more than that is no short answer, and must not pile up past uvicorn's flow control


def use_one_write() -> None:
    """Makes it the protocol of servers that this process starts.

    uvicorn takes a protocol as a parameter, but BentoML, which starts it, does not hand one on.
    """
    HTTP_PROTOCOLS["auto"] = f"{__name__}:OneWriteProtocol"


class OneWriteProtocol(HttpToolsProtocol):
    """Speaks HTTP as its base does."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        """Puts our transport before that of the event loop."""
        super().connection_made(OneWriteTransport(transport, self.loop))  # type: ignore[arg-type]


class OneWriteTransport:
    """Joins all that is written in one turn of the event loop.

    Args:
        inner: The real transport; does everything else.
        loop: Of the transport.
    """

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner, self._loop = inner, loop
        self.is_closing = inner.is_closing  # uvicorn asks after each answer, and `__getattr__` costs a microsecond
        self._held: list[bytes] = []
        self._held_bytes = 0

    def write(self, data: bytes) -> None:
        """Holds the data until the turn ends."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > _HOLD_BYTES:
            self._flush()

    def close(self) -> None:
        """Closes when all is written."""
        self._flush()
        self._inner.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held, self._held_bytes = self._held, [], 0
            self._inner.write(b"".join(held))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
