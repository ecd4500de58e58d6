"""What the doors of the re-tune worker share: who may come in, how much is read, how errors are answered."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from hashlib import sha256

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from evertune.errors import AuthError, EvertuneError, TooLargeError

_LIMIT_BYTES = 1_000_000  # Alertmanager's alerts are about 1 kB each
_PATIENCE_SECONDS = 10.0  # for a body to arrive
_log = logging.getLogger("evertune.retune")

Handler = Callable[[Request], Awaitable[Response]]


class WebhookToken:
    """The one secret of `retune.webhook_token`.

    Args:
        token: Empty refuses everybody.
    """

    def __init__(self, token: str) -> None:
        self._digest = sha256(token.encode()).digest() if token else None

    def check(self, presented: str | None) -> None:
        """Compares hashes in constant time: neither content nor length of the token can be measured.

        Args:
            presented: What `bearer` found.

        Raises:
            AuthError: It is not the token, or there is none.
        """
        digest = sha256((presented or "").encode("utf-8", "surrogateescape")).digest()
        if self._digest is None:
            raise AuthError("the webhook has no token, so it refuses everybody", fix="Set retune.webhook_token.")
        if not hmac.compare_digest(digest, self._digest) or not presented:
            raise AuthError("missing or wrong bearer token", fix="Send `Authorization: Bearer <retune.webhook_token>`.")


def bearer(request: Request) -> str | None:
    """What stands behind "Bearer" in the request's header; None where it says something else."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    return presented.strip() if scheme.lower() == "bearer" else None


async def read_body(request: Request) -> bytes:
    """The body, never keeping more of it than the limit.

    Raises:
        TooLargeError: It is larger.
        TimeoutError: It does not come.
    """
    return await asyncio.wait_for(_read(request), _PATIENCE_SECONDS)


def answered(handler: Handler) -> Handler:
    """The handler, with every error made an answer."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except EvertuneError as error:
            return _refuse(error)
        except (TimeoutError, ClientDisconnect):
            return JSONResponse({"error": "the body did not arrive in time", "code": "timeout"}, 408)
        except Exception:
            _log.exception("%s failed", request.url.path)
            return JSONResponse({"error": "the request failed; see the re-tune worker's log", "code": "internal"}, 500)

    return handle


async def _read(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    body = bytearray()
    if not (declared.isdecimal() and int(declared) > _LIMIT_BYTES):
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LIMIT_BYTES:
                break
        else:
            return bytes(body)
    raise TooLargeError(
        f"the body is over {_LIMIT_BYTES} bytes", fix="Let Alertmanager group fewer alerts (max_alerts)."
    )


def _refuse(error: EvertuneError) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, AuthError) else None
    if error.http_status >= 500:
        _log.error("refused: %s", error)
    return JSONResponse(error.to_json(), error.http_status, headers)
