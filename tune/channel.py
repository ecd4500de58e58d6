"""Messages between driver and worker: JSON objects, one a line, over a socket pair. Nothing is ever unpickled."""

from __future__ import annotations

import json
import socket
import traceback
from typing import Any

Message = dict[str, Any]


class Channel:
    """One end.

    Args:
        connection: Stream socket; owned from now on.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""

    def fileno(self) -> int:
        """For `selectors`."""
        return self._socket.fileno()

    def send(self, message: Message) -> None:
        """Sends one message.

        Raises:
            OSError: The other end is gone.
        """
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[Message] | None:
        """Waits for bytes; returns the messages they complete, None at the end of the stream."""
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionResetError:  # killed with bytes unread
            data = b""
        if not data:
            return None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Closes this end."""
        self._socket.close()


def broken(error: BaseException) -> Message:
    """Of a worker that cannot start, while the error is handled."""
    return {"type": "broken", "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
