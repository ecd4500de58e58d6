"""Reading a request body under a limit, and parsing it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson

from evertune.errors import InputError, TooLargeError
from serve.asgi import Message, Receive
from serve.errors import ClientGoneError


async def read_body(receive: Receive, limit_bytes: int) -> bytes:
    """Reads the body, and stops keeping it as soon as it is over the limit.

    Of a body that is too large as much again is read and dropped, so that an ordinary client gets to read the answer
    instead of a broken connection.

    Raises:
        TooLargeError: More than `limit_bytes` came.
        ClientGoneError: The client hung up.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) <= limit_bytes:
            return body  # nearly every request is one message
    return b"".join([chunk async for chunk in body_chunks(receive, limit_bytes, first=message)])


async def body_chunks(receive: Receive, limit_bytes: int, *, first: Message | None = None) -> AsyncIterator[bytes]:
    """The body as it comes, for whoever need not hold all of it; otherwise as `read_body`.

    Args:
        receive: Of the request.
        limit_bytes: Of the whole body.
        first: A message that was received already.
    """
    message = await receive() if first is None else first
    size_bytes = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk: bytes = message.get("body", b"")
        size_bytes += len(chunk)
        if size_bytes <= limit_bytes:
            yield chunk
        if not message.get("more_body") or size_bytes > 2 * limit_bytes:
            break
        message = await receive()
    if size_bytes > limit_bytes:
        raise TooLargeError(
            f"the body is over {limit_bytes} bytes",
            fix="Send fewer rows a request, or raise serve.max_body_bytes.",
            limit_bytes=limit_bytes,
        )


def has_booleans(body: bytes) -> bool:
    """Whether there may be booleans in a JSON document; those in a string count too."""
    # One letter each first, which the protocol's own names do not have: to find that costs a thirtieth.
    return (b"r" in body and b"true" in body) or (b"l" in body and b"false" in body)


def parse_object(body: bytes) -> dict[str, Any]:
    """Parses a JSON object.

    Raises:
        InputError: Not JSON, or not an object; says where, and names NaN and infinity, which JSON does not have.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        hint = "Send finite numbers only: JSON has no NaN and no infinity."
        odd = b"NaN" in body or b"Infinity" in body or "infinity" in error.msg
        raise InputError(f"the body is not JSON: {error}", fix=hint if odd else "Send one JSON object.") from None
    if not isinstance(document, dict):
        raise InputError(f"the body is a JSON {type(document).__name__}, not an object", fix="Send one JSON object.")
    return document
