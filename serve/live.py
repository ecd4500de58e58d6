"""A loaded bundle that answers requests."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from evertune.bundle import Bundle
from evertune.tensors import Signature, Tensors
from serve.asgi import Receive
from serve.batcher import Batcher
from serve.ticket import Outcome, Ticket


@dataclass(frozen=True, eq=False)
class Live:
    """One version of one model, with its own batcher, so that a batch never mixes versions.

    A swap replaces the reference that new requests take; requests that hold the old one finish on it, and it is freed
    with the last of them.

    Attributes:
        bundle: What is served.
        batcher: Of this version alone.
    """

    bundle: Bundle
    batcher: Batcher
    index_of: dict[str, int] = field(init=False)  # class name to class index

    def __post_init__(self) -> None:
        object.__setattr__(self, "index_of", {name: index for index, name in enumerate(self.labels)})

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
        """Class names by index."""
        return self.bundle.manifest.labels

    @property
    def signature(self) -> Signature:
        """Inputs and outputs."""
        return self.bundle.manifest.signature

    async def predict(self, inputs: Tensors, rows: int, *, key_id: str, receive: Receive) -> Outcome:
        """Answers one checked request.

        Args:
            inputs: Have passed `signature.check_inputs`, which gave `rows`.
            rows: Their number.
            key_id: Of the caller.
            receive: Of the request, to notice that the client hangs up.

        Raises:
            OverloadedError: Queue or spool is full.
            ModelError: The model failed on these inputs.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        return await self.batcher.submit(Ticket(inputs, rows, key_id, time.monotonic(), future, receive))
