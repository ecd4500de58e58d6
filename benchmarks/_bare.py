"""What `bentoml serve` is compared with: raw ASGI applications that uvicorn serves with nothing around them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson

from evertune.bundle import Bundle
from evertune.tensors import Tensors
from serve.asgi import App, Receive, Scope, Send
from serve.decode import decode

BUNDLE = "BENCHMARK_BUNDLE"
"""Environment variable that names the bundle's folder."""


def constant() -> App:
    """What HTTP alone costs: an application that answers the same to everyone."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await _answer(send, b'{"outputs":[]}')

    return app


def bare_model() -> App:
    """The same work without our plane: read, parse, batch, run, dump. No key, no checks, no ids, no log.

    It decodes as we do, the quickest way we know: the baseline must not be slower than it need be.
    """
    bundle = Bundle.open(Path(os.environ[BUNDLE]))
    dtypes = {spec.name: spec.dtype for spec in bundle.manifest.signature.inputs}
    batcher = _Batcher(bundle.session().run)

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        inputs = {}
        for tensor in orjson.loads(await _read(receive))["inputs"]:
            name = tensor["name"]
            inputs[name] = decode(tensor["data"], dtypes[name], name, booleans=False).reshape(tensor["shape"])
        outputs = await batcher.submit(inputs)
        tensors = [{"name": name, "shape": value.shape, "data": value.ravel()} for name, value in outputs.items()]
        await _answer(send, orjson.dumps({"outputs": tensors}, option=orjson.OPT_SERIALIZE_NUMPY))

    return app


class _Batcher:
    """Whoever came in one turn of the event loop is a batch, as in `serve.batcher`. One row a request."""

    def __init__(self, run: Callable[[Tensors], Tensors]) -> None:
        self._run = run
        self._waiting: list[tuple[Tensors, asyncio.Future[Tensors]]] = []

    async def submit(self, inputs: Tensors) -> Tensors:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Tensors] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._dispatch)
        self._waiting.append((inputs, future))
        return await future

    def _dispatch(self) -> None:
        batch, self._waiting = self._waiting, []
        names = batch[0][0]
        outputs = self._run({name: np.concatenate([inputs[name] for inputs, _ in batch]) for name in names})
        for row, (_, future) in enumerate(batch):
            if not future.done():
                future.set_result({name: value[row : row + 1] for name, value in outputs.items()})


async def _read(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def _answer(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
