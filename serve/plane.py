"""The data plane: a raw ASGI application in front of BentoML's."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from evertune.errors import EvertuneError
from serve.asgi import App, Message, Receive, Scope, Send
from serve.errors import ClientGoneError, RouteError
from serve.handlers import Handlers
from serve.reply import Reply
from serve.router import Route, Router
from serve.worker import Worker

_OTHER = "other"  # the one name under which all paths that are not ours are counted
_GONE = 499  # nginx's status for a client that closed the connection
_log = logging.getLogger("evertune.serve")


class DataPlane:
    """Answers our routes itself; passes everything else, the lifespan too, to BentoML's application.

    Args:
        inner: BentoML's application.
        start: Makes the worker, on the event loop that serves.
    """

    def __init__(self, inner: App, start: Callable[[], Awaitable[Worker]]) -> None:
        self._inner, self._start = inner, start
        self._worker: Worker | None = None
        self._router: Router | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, self._around(send))
            return
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        assert self._worker is not None, "the lifespan comes before the first request"
        assert self._router is not None
        started = time.monotonic()
        name = _OTHER
        try:
            route: Route | None = self._router.find(scope["method"], scope["path"])
            if route is None:
                await self._pass_on(scope, receive, send, started)
                return
            name = route.name
            reply = await route.handler(scope, receive)
        except ClientGoneError:
            self._worker.metrics.answered(name, _GONE, time.monotonic() - started)
            return
        except Exception as error:
            reply = Reply.error(error)
        await reply.send(send)
        self._worker.metrics.answered(name, reply.status, time.monotonic() - started)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        """BentoML's own pages; its plain 404 becomes one of ours."""
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            if status != 404:
                await send(message)

        await self._inner(scope, receive, watch)
        if status == 404:
            path = scope["path"][:200]
            await Reply.error(RouteError(f"no such path: {path}", fix="See /docs for all paths.")).send(send)
        assert self._worker is not None
        self._worker.metrics.answered(_OTHER, status, time.monotonic() - started)

    def _around(self, send: Send) -> Send:
        """Starts the worker after BentoML's startup and stops it after its shutdown."""

        async def forward(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                try:
                    self._worker = await self._start()
                    self._router = Router(Handlers(self._worker))
                except EvertuneError as error:
                    _log.error("cannot start: %s", error)
                    message = {"type": "lifespan.startup.failed", "message": str(error)}
            elif message["type"].startswith("lifespan.shutdown") and self._worker is not None:
                await self._worker.stop()
            await send(message)

        return forward
