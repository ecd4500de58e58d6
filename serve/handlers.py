"""What each route does. A handler takes the request apart, asks the worker's parts, and gives a reply or raises."""

from __future__ import annotations

from functools import partial
from typing import Any

from evertune.errors import NotReadyError
from serve import friendly, openapi
from serve.asgi import Receive, Scope
from serve.binary_part import split_body
from serve.body import has_booleans, parse_object, read_body
from serve.compression import decompress
from serve.fleet import HOW_TO_GET_A_CHAMPION
from serve.headers import Special, request_id, special_headers
from serve.infer_response import metadata
from serve.label_desk import read_labels
from serve.metrics import CONTENT_TYPE
from serve.reply import Reply
from serve.worker import Worker

_HTML = ((b"content-type", b"text/html; charset=utf-8"),)


class Handlers:
    """All endpoints.

    Args:
        worker: Started.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def infer(self, scope: Scope, receive: Receive, model: str) -> Reply:
        """`POST /v2/models/{name}/infer`."""
        key_id = self._worker.door.enter(scope, "predict")
        limit_bytes = self._worker.settings.max_body_bytes
        body, binary = await read_body(receive, limit_bytes), None
        headers = special_headers(scope)
        if headers:  # hardly ever; the rest is the path of nearly every request
            body, binary = split_body(decompress(body, headers, limit_bytes), headers)
        own_id = request_id(headers)
        document = parse_object(body)
        live = self._worker.fleet.get(model)
        request = live.reader.read(document, booleans=has_booleans(body), binary=binary)
        encode = partial(live.writer.write, request)
        return await live.predict(
            request.inputs, request.rows, key_id=key_id, receive=receive, encode=encode, request_id=own_id
        )

    async def predict(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /predict`."""
        key_id = self._worker.door.enter(scope, "predict")
        headers = special_headers(scope)
        document = parse_object(await self._body(receive, headers))
        own_id = request_id(headers)
        fleet = self._worker.fleet
        live = fleet.get(str(document["model"])) if "model" in document else fleet.only()
        inputs = friendly.read_inputs(document, live.signature)
        rows = len(next(iter(inputs.values())))
        encode = partial(friendly.write_response, live)
        return await live.predict(inputs, rows, key_id=key_id, receive=receive, encode=encode, request_id=own_id)

    async def labels(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /labels`."""
        key_id = self._worker.door.enter(scope, "label")
        document = parse_object(await self._body(receive, special_headers(scope)))
        receipt = await self._worker.labels.accept(read_labels(document), key_id)
        self._worker.metrics.labelled(receipt.accepted + receipt.unchanged + receipt.corrected)
        return Reply.json(vars(receipt))

    async def live(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /v2/health/live`, `/livez`, `/healthz`."""
        return Reply.json({"live": True})

    async def ready(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /v2/health/ready`, `/readyz`."""
        if not self._worker.fleet.live:
            failures = list(self._worker.fleet.failures.values())
            if failures:
                raise NotReadyError(f"the champion does not load: {failures[0].error['error']}")
            raise NotReadyError("there is no champion yet", fix=HOW_TO_GET_A_CHAMPION)
        return Reply.json({"ready": True})

    async def server(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /v2`."""
        return Reply.json({"name": "evertune", "version": openapi.VERSION, "extensions": openapi.EXTENSIONS})

    async def models(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /v2/models`: what is loaded, and what did not load."""
        fleet = self._worker.fleet
        names = sorted({*fleet.live, *fleet.failures})
        return Reply.json({"models": [self._state(name) for name in names]})

    async def model(self, _scope: Scope, _receive: Receive, model: str) -> Reply:
        """`GET /v2/models/{name}`."""
        live = self._worker.fleet.get(model)
        return Reply.json(metadata(live.bundle.manifest) | self._state(model))

    async def model_ready(self, _scope: Scope, _receive: Receive, model: str) -> Reply:
        """`GET /v2/models/{name}/ready`."""
        live = self._worker.fleet.get(model)
        return Reply.json({"name": model, "ready": True, "version": live.version})

    async def metrics(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /metrics`."""
        return Reply(200, self._worker.metrics.expose(), ((b"content-type", CONTENT_TYPE.encode()),))

    async def openapi(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /openapi.json`, `/docs.json`."""
        return Reply.json(openapi.document(self._worker.fleet.live.values()))

    async def docs(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /`, `/docs`."""
        return Reply(200, openapi.PAGE, _HTML)

    async def _body(self, receive: Receive, headers: Special) -> bytes:
        limit_bytes = self._worker.settings.max_body_bytes
        return decompress(await read_body(receive, limit_bytes), headers, limit_bytes)

    def _state(self, model: str) -> dict[str, Any]:
        live, failure = self._worker.fleet.live.get(model), self._worker.fleet.failures.get(model)
        return {
            "name": model,
            "version": live.version if live else None,
            "digest": live.digest if live else None,
            "failed": None
            if failure is None
            else {"digest": failure.digest, "attempts": failure.attempts, **failure.error},
        }
