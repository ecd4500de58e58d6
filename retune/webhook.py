"""The door for Alertmanager: it asks, and only asks."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evertune.ledger import Ledger
from retune.alert import Notification, parse_notification
from retune.http import WebhookToken, answered, bearer, read_body


class Webhook:
    """`POST /webhook/alertmanager`: adds a request for each firing alert with `action="retune"` and a `model`.

    The answer is 202 once the requests are on disk; an alert that was told before comes back as a duplicate. Any 5xx
    makes Alertmanager try again. Nothing here believes the alert: `retune.decision` looks the evidence up.

    Args:
        ledger: Where requests go.
        token: That Alertmanager presents as `Authorization: Bearer ...`.
    """

    def __init__(self, ledger: Ledger, token: WebhookToken) -> None:
        self._ledger = ledger
        self._token = token

    def routes(self) -> list[Route]:
        """For Starlette."""
        return [Route("/webhook/alertmanager", answered(self._receive), methods=["POST"])]

    async def _receive(self, request: Request) -> Response:
        self._token.check(bearer(request))
        notification = parse_notification(await read_body(request))
        return JSONResponse(await run_in_threadpool(self._add, notification), 202)

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
