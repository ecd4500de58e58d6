"""A loaded bundle that answers requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from evertune.bundle import Bundle
from evertune.kinds import Kind, kind_of
from evertune.tensors import Signature, Tensors
from serve.asgi import Receive
from serve.batcher import Batcher
from serve.infer_request import RequestReader
from serve.infer_response import ResponseWriter
from serve.raw_request import RawReader
from serve.reply import Reply
from serve.ticket import Outcome, Ticket


@dataclass(frozen=True, eq=False)
class Live:
    """One version of one model, with its own batcher, so that a batch never mixes versions.

    A swap replaces the reference that new requests take; requests that hold the old one finish on it, and it is freed
    with the last of them.

    Attributes:
        bundle: What is served.
        batcher: Of this version alone.
        raw: Reads raw columns; None where the bundle has no preprocessor.
        reader: Of Open Inference Protocol requests.
        writer: Of the responses.
    """

    bundle: Bundle
    batcher: Batcher
    raw: RawReader | None = None
    reader: RequestReader = field(init=False)
    writer: ResponseWriter = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reader", RequestReader(self.signature))
        object.__setattr__(self, "writer", ResponseWriter(self.bundle.manifest))

    @property
    def model(self) -> str:
        """Name in URLs and metrics."""
        return self.bundle.manifest.model

    @property
    def digest(self) -> str:
        """Of the bundle."""
        return self.bundle.digest

    @property
    def version(self) -> str:
        """Short digest for people and protocols."""
        return self.bundle.digest[:12]

    @property
    def labels(self) -> tuple[str, ...]:
        """Class or label names, item ids, or the target's name."""
        return self.bundle.manifest.labels

    @property
    def kind(self) -> Kind:
        """Of the task."""
        return kind_of(self.bundle.manifest.kind)

    @property
    def signature(self) -> Signature:
        """Inputs and outputs."""
        return self.bundle.manifest.signature

    def predict(
        self,
        inputs: Tensors,
        rows: int,
        *,
        key_id: str,
        receive: Receive,
        encode: Callable[[Outcome], Reply],
        request_id: str | None = None,
    ) -> Awaitable[Reply]:
        """Answers one checked request. No coroutine of its own: each costs a microsecond a request.

        Args:
            inputs: Have passed the signature's check.
            rows: Their number.
            key_id: Of the caller.
            receive: Of the request, to notice that the client hangs up.
            encode: Makes the answer from what the model said.
            request_id: UUIDv7 that the client chose; None: a new one.

        Raises:
            OverloadedError: Queue or spool is full.
            ModelError: The model failed on these inputs.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        arrived_at = time.monotonic()
        return self.batcher.submit(
            Ticket(inputs, rows, key_id, arrived_at, encode, future, receive, request_id=request_id)
        )
