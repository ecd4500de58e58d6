"""A request that waits for its answer, and the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from evertune.tensors import Array, Tensors
from serve.asgi import Receive
from serve.reply import Reply


@dataclass(slots=True, eq=False)  # not frozen: that costs a microsecond a request
class Outcome:
    """What the model said to one request.

    Attributes:
        request_id: UUIDv7; row ids are built from it.
        outputs: Named arrays, first axis the request's own rows.
        confidence: Calibrated, float32, shape (rows,).
    """

    request_id: str
    outputs: Tensors
    confidence: Array


@dataclass(slots=True, eq=False)
class Ticket:
    """One admitted request on its way through the batcher.

    Attributes:
        inputs: Checked arrays, first axis rows.
        rows: Their number.
        key_id: Of the API key; empty where none is needed.
        arrived_at: `time.monotonic()` seconds.
        encode: Makes the answer. All answers of a batch are made before the first is sent, and then leave in one go:
            a client that gets them one by one, with pauses, is woken for each of them.
        future: Gets the answer or the error.
        receive: ASGI receive of the request, to notice that a waiting client hung up; None: not watched.
        watcher: The task that does.
        request_id: Chosen by the client, to send it again without being counted twice; None: the server chooses.
    """

    inputs: Tensors
    rows: int
    key_id: str
    arrived_at: float
    encode: Callable[[Outcome], Reply]
    future: asyncio.Future[Reply]
    receive: Receive | None = None
    watcher: asyncio.Task[None] | None = None
    request_id: str | None = None
