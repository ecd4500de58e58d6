from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from evertune.errors import InputError, TooLargeError
from serve.errors import ClientGoneError
from serve.multipart import Part, content_type, read_parts

BOUNDARY = b"multipart/form-data; boundary=b"


def read(body: bytes, *, media_type: bytes = BOUNDARY, step: int = 0, limit_bytes: int = 100_000) -> list[Part]:
    chunks = [body[start : start + step] for start in range(0, len(body), step)] if step else [body]
    messages = iter([{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks])

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.request", "body": b"", "more_body": False})

    return asyncio.run(read_parts(receive, media_type, limit_bytes))


def form(*parts: tuple[str, bytes], end: bytes = b"--b--\r\n") -> bytes:
    text = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    return b"".join(text % (name.encode(), content) for name, content in parts) + end


@pytest.mark.parametrize("step", [0, 1, 7])
def test_parts_come_in_order_however_the_body_is_cut(step: int) -> None:
    sent = [("file", bytes(range(256))), ("age", b"3"), ("file", b""), ("größe", b"\r\n--a")]
    assert [(part.name, part.content) for part in read(form(*sent), step=step)] == sent


def test_what_an_ordinary_client_sends_is_understood() -> None:
    request = httpx.Request("POST", "http://x/", files={"file": ("a.png", b"\x00\x01")}, data={"note": "a b"})
    headers = [(name.lower(), value) for name, value in request.headers.raw]  # as ASGI has them
    parts = read(request.read(), media_type=content_type({"headers": headers}))
    assert {part.name: part.content for part in parts} == {"note": b"a b", "file": b"\x00\x01"}


@pytest.mark.parametrize(
    ("body", "media_type", "mentioned"),
    [
        (form(("a", b"1")), b"multipart/form-data", "no boundary"),
        (form(("a", b"1")), b"multipart/form-data; boundary=" + b"x" * 5000, "boundary"),
        (form(("a", b"1")), b"multipart/form-data; boundary=other", "cannot be read"),
        (form(("a", b"1"), end=b""), BOUNDARY, "ends before"),
        (b"", BOUNDARY, "ends before"),
        (form(("", b"1")), BOUNDARY, "no name"),
        (form(("n" * 600, b"1")), BOUNDARY, "no name"),
        (b"--b\r\nX: y\r\n\r\n1\r\n--b--\r\n", BOUNDARY, "no name"),
        (b"--b\r\n" + b"X: y\r\n" * 50 + b"\r\n1\r\n--b--\r\n", BOUNDARY, "cannot be read"),
        (b"--b\r\nX: " + b"y" * 10_000 + b"\r\n\r\n1\r\n--b--\r\n", BOUNDARY, "cannot be read"),
    ],
)
def test_what_is_malformed_is_refused(body: bytes, media_type: bytes, mentioned: str) -> None:
    with pytest.raises(InputError) as refused:
        read(body, media_type=media_type)
    assert mentioned in refused.value.message


def test_bytes_and_parts_have_a_limit() -> None:
    with pytest.raises(TooLargeError, match="over 1000 bytes"):
        read(form(("a", b"x" * 2000)), step=100, limit_bytes=1000)
    with pytest.raises(TooLargeError, match="10000 parts"):
        read(form(*[("a", b"")] * 10_001), limit_bytes=10_000_000)


def test_a_client_that_hangs_up_is_gone() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGoneError):
        asyncio.run(read_parts(receive, BOUNDARY, 10))
