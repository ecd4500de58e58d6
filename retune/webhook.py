"""The door for Alertmanager: it asks, and only asks."""

from __future__ import annotations

import asyncio
import hmac
import logging
from hashlib import sha256
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evertune.errors import AuthError, EvertuneError, TooLargeError
from evertune.ledger import Ledger
from retune.alert import Notification, parse_notification

_LIMIT_BYTES = 1_000_000  # Alertmanager's alerts are about 1 kB each
_PATIENCE_SECONDS = 10.0  # for a body to arrive
_log = logging.getLogger("evertune.retune")


class Webhook:
    """`POST /webhook/alertmanager`: adds a request for each firing alert with `action="retune"` and a `model`.

    The answer is 202 once the requests are on disk; an alert that was told before comes back as a duplicate. Any 5xx
    makes Alertmanager try again. Nothing here believes the alert: `retune.decision` looks the evidence up.

    Args:
        ledger: Where requests go.
        token: That Alertmanager presents as `Authorization: Bearer ...`. Empty refuses everybody.
    """

    def __init__(self, ledger: Ledger, token: str) -> None:
        self._ledger = ledger
        self._token = sha256(token.encode()).digest() if token else None

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/webhook/alertmanager", self._receive, methods=["POST"]),
            Route("/health/live", _live, methods=["GET"]),
        ]
        return Starlette(routes=routes)

    async def _receive(self, request: Request) -> Response:
        try:
            self._authenticate(request.headers.get("authorization", ""))
            body = await asyncio.wait_for(_read(request), _PATIENCE_SECONDS)
            notification = parse_notification(body)
            return JSONResponse(await run_in_threadpool(self._add, notification), 202)
        except EvertuneError as error:
            return _refuse(error)
        except (TimeoutError, ClientDisconnect):
            return JSONResponse({"error": "the body did not arrive in time", "code": "timeout"}, 408)
        except Exception:
            _log.exception("webhook failed")
            return JSONResponse({"error": "the webhook failed; see its log", "code": "internal"}, 500)

    def _authenticate(self, header: str) -> None:
        """Compares hashes in constant time: neither content nor length of the token can be measured."""
        scheme, _, presented = header.partition(" ")
        digest = sha256(presented.strip().encode("utf-8", "surrogateescape")).digest()
        if self._token is None:
            raise AuthError("the webhook has no token, so it refuses everybody", fix="Set retune.webhook_token.")
        if not hmac.compare_digest(digest, self._token) or scheme.lower() != "bearer":
            raise AuthError("missing or wrong bearer token", fix="Send `Authorization: Bearer <retune.webhook_token>`.")

    def _add(self, notification: Notification) -> dict[str, Any]:
        added = []
        for alert in notification.alerts:
            if (model := alert.model) is None:
                continue
            request, new = self._ledger.requests.add(
                model, "alertmanager", alert.identity, {"labels": alert.labels, "starts_at": alert.starts_at}
            )
            added.append({"id": request.id, "model": model, "status": request.status, "duplicate": not new})
        return {"requests": added, "ignored": len(notification.alerts) - len(added)}


async def _live(_: Request) -> Response:
    return JSONResponse({"live": True})


async def _read(request: Request) -> bytes:
    """The body, never keeping more of it than the limit."""
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
        _log.error("webhook: %s", error)
    return JSONResponse(error.to_json(), error.http_status, headers)
