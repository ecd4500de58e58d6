"""`multipart/form-data`, taken apart while it comes in."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from evertune.errors import InputError, TooLargeError
from serve.asgi import Receive, Scope
from serve.body import body_chunks

MEDIA_TYPE = b"multipart/form-data"
_MOST_PARTS = 10_000
_MOST_NAME_BYTES = 512
_FIX = "Send multipart/form-data with one part a value, named by its column, as `curl -F column=@file` does."


@dataclass(slots=True)
class Part:
    """One value.

    Attributes:
        name: Of the column.
        content: As sent.
    """

    name: str
    content: bytes


@dataclass(slots=True)
class _Open:
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    name: str | None = None
    content: list[bytes] = field(default_factory=list)


def content_type(scope: Scope) -> bytes:
    """As the client sent it; empty where it did not."""
    found: bytes = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return found


async def read_parts(receive: Receive, media_type: bytes, limit_bytes: int) -> list[Part]:
    """Reads a body of parts; each byte is looked at once, and what is over a limit is not kept.

    Args:
        receive: Of the request.
        media_type: Its Content-Type, with the boundary.
        limit_bytes: Of the whole body.

    Raises:
        InputError: No boundary, a part without a name, or a body that does not end as it should.
        TooLargeError: Too many bytes or parts.
        ClientGoneError: The client hung up.
    """
    collector = _Collector(parse_options_header(media_type)[1].get(b"boundary", b""))
    try:
        async for chunk in body_chunks(receive, limit_bytes):
            collector.parser.write(chunk)
    except FormParserError as error:
        raise InputError(f"the parts of the body cannot be read: {error}", fix=_FIX) from None
    if not collector.ended:
        raise InputError("the body ends before its last boundary", fix=_FIX)
    return collector.parts


class _Collector:
    """The callbacks of the parser."""

    def __init__(self, boundary: bytes) -> None:
        if not boundary:
            raise InputError("the Content-Type names no boundary", fix=_FIX)
        self.parts: list[Part] = []
        self.ended = False
        self._open = _Open()
        try:
            self.parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._open.header.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._open.value.extend(data[start:end]),
                    "on_header_end": self._header,
                    "on_headers_finished": self._named,
                    "on_part_data": lambda data, start, end: self._open.content.append(data[start:end]),
                    "on_part_end": self._end,
                    "on_end": self._finish,
                },
            )
        except FormParserError as error:
            raise InputError(f"the boundary is refused: {error}", fix=_FIX) from None

    def _begin(self) -> None:
        if len(self.parts) >= _MOST_PARTS:
            raise TooLargeError(f"the body has over {_MOST_PARTS} parts", fix="Send fewer rows a request.")
        self._open = _Open()

    def _header(self) -> None:
        if bytes(self._open.header).lower() == b"content-disposition":
            name = parse_options_header(bytes(self._open.value))[1].get(b"name")
            if name is not None and len(name) <= _MOST_NAME_BYTES:
                self._open.name = name.decode("utf-8", errors="replace")
        self._open.header.clear()
        self._open.value.clear()

    def _named(self) -> None:
        if not self._open.name:
            raise InputError(f"part {len(self.parts)} has no name, or a very long one", fix=_FIX)

    def _end(self) -> None:
        self.parts.append(Part(str(self._open.name), b"".join(self._open.content)))

    def _finish(self) -> None:
        self.ended = True
