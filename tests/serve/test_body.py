from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from evertune.errors import InputError, TooLargeError
from serve.asgi import Receive
from serve.body import has_booleans, parse_object, read_body
from serve.errors import ClientGoneError
from serve.reply import Reply


def chunk(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def client(*messages: dict[str, Any]) -> tuple[Receive, Iterator[dict[str, Any]]]:
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    return receive, left


def read(*messages: dict[str, Any], limit_bytes: int = 10) -> bytes:
    return asyncio.run(read_body(client(*messages)[0], limit_bytes))


def test_a_body_in_one_piece_and_in_many() -> None:
    assert read(chunk(b"0123456789", more=False)) == b"0123456789"
    assert read(chunk(b"01", more=True), chunk(b"", more=True), chunk(b"23", more=False)) == b"0123"
    assert read({"type": "http.request"}) == b""


def test_one_byte_over_the_limit_is_too_large_however_it_comes() -> None:
    for messages in (
        [chunk(b"x" * 11, more=False)],
        [chunk(b"x" * 10, more=True), chunk(b"x", more=False)],
        [chunk(b"x", more=True)] * 10 + [chunk(b"x", more=False)],
    ):
        with pytest.raises(TooLargeError, match="over 10 bytes"):
            read(*messages)


def test_of_a_body_without_end_no_more_than_twice_the_limit_is_read() -> None:
    receive, left = client(*[chunk(b"x" * 5, more=True)] * 1000)
    with pytest.raises(TooLargeError) as refused:
        asyncio.run(read_body(receive, 10))
    assert len(list(left)) == 1000 - 5
    assert (b"connection", b"close") in Reply.error(refused.value).headers


@pytest.mark.parametrize("sent", [[], [chunk(b"half", more=True)]])
def test_a_client_that_hangs_up_in_the_middle_is_gone(sent: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientGoneError):
        read(*sent, {"type": "http.disconnect"})


@pytest.mark.parametrize(
    ("body", "mentioned"),
    [
        (b"", "not JSON"),
        (b'{"x": NaN}', "no NaN"),
        (b'{"x": -Infinity}', "no NaN"),
        (b'{"x": 1,}', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"[]", "JSON list"),
        (b'"text"', "JSON str"),
        (b"null", "JSON NoneType"),
    ],
)
def test_what_is_no_json_object_is_told_so(body: bytes, mentioned: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_object(body)
    assert mentioned in str(refused.value)


def test_booleans_are_noticed_wherever_they_stand() -> None:
    assert has_booleans(b'{"data": [1, true]}')
    assert has_booleans(b'{"data":[false]}')
    assert not has_booleans(b'{"data": [1, 0, "True"]}')
