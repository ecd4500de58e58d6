"""A server that does as it is told, over real sockets, and both clients behind one face."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from evertune.client import AsyncClient, Client, Retry

Act = Callable[[socket.socket], None]


@dataclass
class Scripted:
    """Answers the requests that come, one act each; the last act goes on for ever. Its acts are methods of it."""

    acts: list[Act] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    prediction: ClassVar[dict[str, Any]] = {
        "predictions": [{"id": "01890a5d-ac96-774b-bcce-b302099a8057:0", "label": "boot", "confidence": 0.75}],
        "model": "shoes",
        "digest": "ab" * 32,
    }

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._peers: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for peer in self._peers:
            peer.close()

    @staticmethod
    def answer(body: Any, status: int = 200, **headers: str) -> Act:
        """Sends a whole answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return lambda peer: peer.sendall("\r\n".join([*lines, "", ""]).encode() + content)

    @staticmethod
    def reset(peer: socket.socket) -> None:
        """What a client sees when the process is killed with data unread."""
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @staticmethod
    def hang_up(peer: socket.socket) -> None:
        """Nothing, and the connection is closed."""

    @staticmethod
    def half(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

    @staticmethod
    def babble(peer: socket.socket) -> None:
        peer.sendall(b"220 mail.example ESMTP\r\n")

    @staticmethod
    def silence(_: socket.socket) -> None:
        """The connection stays open, and nothing comes."""

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._peers.append(peer)
            peer.settimeout(20)
            self.requests.append(_read(peer))
            act = self.acts[min(len(self.requests), len(self.acts)) - 1]
            act(peer)
            if act is not self.silence:
                peer.close()


def _read(peer: socket.socket) -> tuple[str, dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += peer.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += peer.recv(65536)
    return first, headers, body


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()


class Both:
    """Either client, called as if it blocked; its waits are noted instead of slept."""

    def __init__(self, kind: str, url: str, **options: Any) -> None:
        self.waits: list[float] = []
        self._runner = asyncio.Runner()
        options.setdefault("retry", Retry(draw=lambda: 1.0))
        if kind == "Client":
            self.client: Any = Client(url, sleep=self.waits.append, **options)
        else:
            self.client = AsyncClient(url, sleep=self._note, **options)

    async def _note(self, seconds: float) -> None:
        self.waits.append(seconds)

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            result = getattr(self.client, name)(*arguments, **options)
            return self._runner.run(result) if asyncio.iscoroutine(result) else result

        return call

    def end(self) -> None:
        self.close()
        self._runner.close()


Connect = Callable[..., Both]


@pytest.fixture(params=["Client", "AsyncClient"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes a client of the kind under test."""
    made: list[Both] = []

    def begin(url: str, **options: Any) -> Both:
        made.append(Both(request.param, url, **options))
        return made[-1]

    yield begin
    for one in made:
        one.end()
