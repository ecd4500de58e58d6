from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.config import HTTP_PROTOCOLS

from serve.asgi import App, Receive, Scope, Send
from serve.http_protocol import OneWriteProtocol, use_one_write

Server = Any  # of conftest.py
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GET = b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n"


def talk_to(app: App, talk: Talk) -> None:
    """Serves an application to one client."""

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(app, http=OneWriteProtocol, lifespan="off", log_config=None)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            await asyncio.wait_for(talk(reader, writer), 30)
            writer.close()
            server.should_exit = True
            await serving

    asyncio.run(run())


async def answer(send: Send, *body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    length = (b"content-length", b"%d" % sum(map(len, body)))
    await send({"type": "http.response.start", "status": 200, "headers": [length, *(headers or [])]})
    for index, part in enumerate(body, 1):
        await send({"type": "http.response.body", "body": part, "more_body": index < len(body)})


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    return head, await reader.readexactly(int(lengths[0].split(b":")[1]))


def test_answers_to_requests_that_come_together_come_in_order() -> None:
    async def app(scope: Scope, _: Receive, send: Send) -> None:
        await answer(send, scope["path"].encode())

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        paths = [b"/%d" % index for index in range(50)]
        writer.write(b"".join(GET % path for path in paths))
        assert [(await read_answer(reader))[1] for _ in paths] == paths

    talk_to(app, talk)


def test_a_large_answer_in_many_pieces_is_whole() -> None:
    pieces = [bytes([index]) * 50_000 for index in range(100)]

    async def app(_scope: Scope, _: Receive, send: Send) -> None:
        await answer(send, *pieces)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(GET % b"/")
            assert (await read_answer(reader))[1] == b"".join(pieces)

    talk_to(app, talk)


def test_a_head_does_not_wait_for_a_body_that_takes_its_time() -> None:
    head_is_there = asyncio.Event()

    async def app(_scope: Scope, _: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await head_is_there.wait()
        await send({"type": "http.response.body", "body": b"late"})

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET % b"/")
        await reader.readuntil(b"\r\n\r\n")
        head_is_there.set()
        assert await reader.readexactly(4) == b"late"

    talk_to(app, talk)


def test_an_answer_that_closes_the_connection_is_sent_before() -> None:
    async def app(_scope: Scope, _: Receive, send: Send) -> None:
        await answer(send, b"bye", headers=[(b"connection", b"close")])

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET % b"/")
        assert (await reader.read()).endswith(b"\r\n\r\nbye")

    talk_to(app, talk)


def test_servers_that_are_not_told_a_protocol_take_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HTTP_PROTOCOLS, "auto", HTTP_PROTOCOLS["auto"])
    use_one_write()
    config = uvicorn.Config("unused", log_config=None)
    monkeypatch.setattr(config, "app", lambda: None)
    config.load()
    assert config.http_protocol_class is OneWriteProtocol


def test_bentoml_serve_sends_head_and_body_together(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for _ in range(20):
            connection.sendall(GET % b"/v2/health/live")
            assert connection.recv(65536).endswith(b'\r\n\r\n{"live":true}')
