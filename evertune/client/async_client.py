"""The asynchronous client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from evertune.client import calls
from evertune.client.attempts import Outcome, Send, course
from evertune.client.call import Call, Result
from evertune.client.calls import Truth
from evertune.client.inference import Inference
from evertune.client.prediction import Prediction
from evertune.client.receipt import Receipt
from evertune.client.retry import ONCE, Retry
from evertune.client.target import Target
from evertune.clock import Clock, system_clock
from evertune.errors import EvertuneError
from evertune.tensors import Array


class AsyncClient:
    """`Client` for asyncio: the same methods, arguments and errors. Use it on one event loop.

    A deadline is kept to the moment, since a task can be stopped at any.

    Args:
        url: "http://host:port".
        api_key: None: from `EVERTUNE_API_KEY`.
        deadline_seconds: Of a call that has none of its own.
        retry: When a request is sent again.
        transport: Instead of the network.
        sleep: Waits.
        monotonic: Paces.
        clock: Tells the time where a server asks to be left alone until then.

    Raises:
        InputError: No such URL or key can be.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        deadline_seconds: float = 30.0,
        retry: Retry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Clock = time.monotonic,
        clock: Clock = system_clock,
    ) -> None:
        self._target = Target(url, api_key)
        self._deadline_seconds = deadline_seconds
        self._retry = retry or Retry()
        self._sleep, self._monotonic, self._clock = sleep, monotonic, clock
        self._http = httpx.AsyncClient(
            base_url=url, headers=self._target.headers, verify=self._target.verify, transport=transport
        )

    async def predict(self, row: Any, *, model: str | None = None, deadline_seconds: float | None = None) -> Prediction:
        """As `Client.predict`."""
        return await self._run(calls.predict(row, model), deadline_seconds)

    async def predict_many(
        self, rows: Iterable[Any], *, model: str | None = None, deadline_seconds: float | None = None
    ) -> list[Prediction]:
        """As `Client.predict_many`."""
        return await self._run(calls.predict_many(rows, model), deadline_seconds)

    async def label(
        self,
        row: Prediction | str,
        label: Truth,
        *,
        at: float | None = None,
        final: bool = False,
        deadline_seconds: float | None = None,
    ) -> Receipt:
        """As `Client.label`."""
        return await self._run(calls.label([(row, label)], at, final=final), deadline_seconds)

    async def label_many(
        self,
        labels: Iterable[tuple[Prediction | str, Truth]],
        *,
        final: bool = False,
        deadline_seconds: float | None = None,
    ) -> Receipt:
        """As `Client.label_many`."""
        return await self._run(calls.label(labels, final=final), deadline_seconds)

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, Array],
        *,
        outputs: Sequence[str] | None = None,
        deadline_seconds: float | None = None,
    ) -> Inference:
        """As `Client.infer`."""
        return await self._run(calls.infer(model, inputs, outputs), deadline_seconds)

    async def ready(self, model: str | None = None, *, deadline_seconds: float | None = None) -> bool:
        """As `Client.ready`."""
        try:
            return await self._run(calls.ready(model), deadline_seconds, ONCE)
        except EvertuneError:
            return False

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self._target.url!r})"

    async def _run(self, call: Call[Result], deadline_seconds: float | None, retry: Retry | None = None) -> Result:
        deadline = self._deadline_seconds if deadline_seconds is None else deadline_seconds
        steps = course(self._target.url, retry or self._retry, deadline, monotonic=self._monotonic, clock=self._clock)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Send):
                    step = steps.send(await self._send(call, step.timeout_seconds))
                else:
                    await self._sleep(step.seconds)
                    step = next(steps)
        except StopIteration as end:
            return call.read(end.value)

    async def _send(self, call: Call[Result], timeout_seconds: float) -> Outcome:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._http.request(
                    call.method, call.path, content=call.content, headers=call.headers, timeout=timeout_seconds
                )
        except httpx.RequestError as error:
            return error
        except TimeoutError:
            return httpx.ReadTimeout("the attempt took too long")
