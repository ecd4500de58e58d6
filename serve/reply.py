"""An HTTP answer, and the errors of the house as answers."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import orjson

from evertune.errors import AuthError, EvertuneError, NotReadyError, OverloadedError, TooLargeError
from serve.asgi import Send
from serve.errors import EncodingError, MethodError

_JSON = (b"content-type", b"application/json")
_RETRY_SECONDS = b"1"  # a queue of the default size empties, and a first model loads, in about that time
_log = logging.getLogger("evertune.serve")


@dataclass(slots=True, eq=False)  # not frozen: that costs a microsecond a request
class Reply:
    """A whole answer.

    Attributes:
        status: HTTP status code.
        body: As sent.
        headers: All but content-length.
    """

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (_JSON,)

    async def send(self, send: Send) -> None:
        """Sends the answer through ASGI."""
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})

    @classmethod
    def json(cls, content: Any, status: int = 200) -> Reply:
        """Any JSON-serialisable content; numpy arrays included."""
        return cls(status, orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY))

    @classmethod
    def error(cls, error: Exception) -> Reply:
        """The answer to a failed request. What was not raised on purpose is logged and told without its insides."""
        if not isinstance(error, EvertuneError):
            _log.error("unexpected error", exc_info=error)
            error = EvertuneError("the server failed on this request", fix="Read the server's log; it names the cause.")
        body = orjson.dumps(error.to_json(), default=str)
        return cls(error.http_status, body, (_JSON, *_extra_headers(error)))


def _extra_headers(error: EvertuneError) -> tuple[tuple[bytes, bytes], ...]:
    if isinstance(error, OverloadedError | NotReadyError):
        return ((b"retry-after", _RETRY_SECONDS),)
    if isinstance(error, AuthError):
        return ((b"www-authenticate", b"Bearer"),)
    if isinstance(error, TooLargeError):
        return ((b"connection", b"close"),)  # the rest of the body is not worth reading
    if isinstance(error, EncodingError):
        return ((b"accept-encoding", b"gzip, deflate"),)  # RFC 9110, 15.5.16
    if isinstance(error, MethodError):
        return ((b"allow", str(error.details.get("allow", "")).encode()),)
    return ()
