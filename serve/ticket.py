"""A request that waits for its answer, and the answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from evertune.tensors import Array, Tensors
from serve.asgi import Receive


@dataclass(frozen=True, slots=True)
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
        future: Gets the `Outcome` or the error.
        receive: ASGI receive of the request, to notice that a waiting client hung up; None: not watched.
        watcher: The task that does.
    """

    inputs: Tensors
    rows: int
    key_id: str
    arrived_at: float
    future: asyncio.Future[Outcome]
    receive: Receive | None = None
    watcher: asyncio.Task[None] | None = None
