"""What the re-tune worker answers over HTTP."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evertune.keys import Keyring
from evertune.ledger import Ledger
from retune.http import WebhookToken
from retune.request_door import RequestDoor
from retune.webhook import Webhook


def doors(ledger: Ledger, keyring: Keyring, token: str) -> Starlette:
    """The ASGI application: `/webhook/alertmanager`, `/retune`, `/retune/requests/{id}` and `/health/live`.

    Args:
        ledger: Where requests go.
        keyring: API keys of the project.
        token: `retune.webhook_token`; empty refuses all who bring no key.
    """
    secret = WebhookToken(token)
    routes = [*Webhook(ledger, secret).routes(), *RequestDoor(ledger, keyring, secret).routes()]
    return Starlette(routes=[*routes, Route("/health/live", _live, methods=["GET"])])


async def _live(_: Request) -> Response:
    return JSONResponse({"live": True})
