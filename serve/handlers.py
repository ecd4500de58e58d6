"""What each route does. A handler takes the request apart, asks the worker's parts, and gives a reply or raises."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from evertune.errors import InputError, NotReadyError
from evertune.tensors import Tensors
from serve import friendly, openapi
from serve.asgi import Receive, Scope
from serve.binary_part import split_body
from serve.body import has_booleans, parse_object, read_body
from serve.compression import decompress
from serve.errors import EncodingError
from serve.fleet import HOW_TO_GET_A_CHAMPION
from serve.headers import CONTENT_ENCODING, Special, request_id, special_headers
from serve.infer_response import metadata
from serve.label_desk import read_labels
from serve.live import Live
from serve.metrics import CONTENT_TYPE
from serve.multipart import MEDIA_TYPE, content_type, read_parts
from serve.raw_request import RawReader, RawRequest
from serve.reply import Reply
from serve.worker import Worker

_INLINE_BYTES = 16_384  # of raw columns: half a millisecond of tokenizing, which a thread would not do sooner
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

    async def predict(self, scope: Scope, receive: Receive, model: str | None = None) -> Reply:
        """`POST /predict`, `POST /predict/{name}`."""
        key_id = self._worker.door.enter(scope, "predict")
        headers, media_type = special_headers(scope), content_type(scope)
        own_id = request_id(headers)
        if media_type[: len(MEDIA_TYPE)].lower() == MEDIA_TYPE:
            live, inputs = await self._read_parts(receive, media_type, headers, model)
        else:
            body = await self._body(receive, headers)
            document = parse_object(body)
            live = self._named(document.get("model") if model is None else model)
            if live.raw is None:
                inputs = friendly.read_inputs(document, live.signature)
            else:
                inputs = await self._preprocess(live.raw, live.raw.from_json(document), len(body))
        rows = len(next(iter(inputs.values())))
        encode = partial(friendly.write_response, live)
        return await live.predict(inputs, rows, key_id=key_id, receive=receive, encode=encode, request_id=own_id)

    async def _read_parts(
        self, receive: Receive, media_type: bytes, headers: Special, model: str | None
    ) -> tuple[Live, Tensors]:
        if CONTENT_ENCODING in headers:
            raise EncodingError("parts that are compressed as a whole are not read", fix="Send them as they are.")
        live = self._named(model)  # before the body: nothing is read for a model that is not there
        if live.raw is None:
            raise InputError(f"model {live.model!r} takes tensors only", fix="Send JSON; /docs shows an example.")
        parts = await read_parts(receive, media_type, self._worker.settings.max_body_bytes)
        return live, await self._preprocess(live.raw, live.raw.from_parts(parts), sum(len(p.content) for p in parts))

    async def _preprocess(self, reader: RawReader, request: RawRequest, size_bytes: int) -> Tensors:
        if size_bytes <= _INLINE_BYTES and not reader.is_slow(request):
            return reader.tensors(request)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker.preprocessing, reader.tensors, request)

    def _named(self, model: Any) -> Live:
        fleet = self._worker.fleet
        return fleet.only() if model is None else fleet.get(str(model))

    async def labels(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /labels`."""
        key_id = self._worker.door.enter(scope, "label")
        document = parse_object(await self._body(receive, special_headers(scope)))
        receipt = await self._worker.labels.accept(read_labels(document), key_id)
        self._worker.metrics.labelled(sum(vars(receipt).values()))
        return Reply.json(receipt.to_json())

    async def live(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /v2/health/live`, `/livez`, `/healthz`."""
        return Reply.json({"live": True})

    async def ready(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /v2/health/ready`, `/readyz`."""
        fleet = self._worker.fleet
        if not fleet.is_ready:
            failures = list(fleet.failures.values())
            if failures:
                raise NotReadyError(f"the champion does not load: {failures[0].error['error']}")
            of_them = f" of {', '.join(fleet.missing)}" if fleet.missing else ""
            raise NotReadyError(f"there is no champion{of_them} yet", fix=HOW_TO_GET_A_CHAMPION)
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
        columns = [] if live.raw is None else live.raw.columns
        described = [{"name": each.name, "type": each.type, "description": each.description} for each in columns]
        return Reply.json(metadata(live.bundle.manifest) | self._state(model) | {"columns": described})

    async def model_ready(self, _scope: Scope, _receive: Receive, model: str) -> Reply:
        """`GET /v2/models/{name}/ready`."""
        live = self._worker.fleet.get(model)
        return Reply.json({"name": model, "ready": True, "version": live.version})

    async def metrics(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /metrics`."""
        return Reply(200, self._worker.metrics.expose(), ((b"content-type", CONTENT_TYPE.encode()),))

    async def openapi(self, _scope: Scope, _receive: Receive) -> Reply:
        """`GET /openapi.json`, `/docs.json`."""
        return Reply.json(openapi.document(self._worker.fleet.in_order))

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
