"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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


class Client:
    """Asks one server. Safe for threads; close it, or use it in a `with`.

    Every method raises the server's error as its class in `evertune.errors`, `UnreachableError` where no answer came,
    and `DeadlineError` where none came in time. What is lost on the way is sent again, under the same id: see
    `Retry`. A deadline holds for all attempts and waits together; while one attempt runs it is each of connecting,
    sending and the next piece of the answer that may take what is left.

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

    Example:
        >>> with Client("http://127.0.0.1:3000", api_key="ek_...") as client:
        ...     client
        Client('http://127.0.0.1:3000')
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        deadline_seconds: float = 30.0,
        retry: Retry | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Clock = time.monotonic,
        clock: Clock = system_clock,
    ) -> None:
        self._target = Target(url, api_key)
        self._deadline_seconds = deadline_seconds
        self._retry = retry or Retry()
        self._sleep, self._monotonic, self._clock = sleep, monotonic, clock
        self._http = httpx.Client(
            base_url=url, headers=self._target.headers, verify=self._target.verify, transport=transport
        )

    def predict(self, row: Any, *, model: str | None = None, deadline_seconds: float | None = None) -> Prediction:
        """Predicts one row.

        Args:
            row: The value itself where the model has one input (array, list, text), else `{input: value}`.
            model: Needed where the server has several.
            deadline_seconds: Of this call.
        """
        return self._run(calls.predict(row, model), deadline_seconds)

    def predict_many(
        self, rows: Iterable[Any], *, model: str | None = None, deadline_seconds: float | None = None
    ) -> list[Prediction]:
        """Predicts some rows in one request; the server limits its bytes and rows.

        Args:
            rows: Each as in `predict`; an array is taken by its first axis.
            model: Needed where the server has several.
            deadline_seconds: Of this call.
        """
        return self._run(calls.predict_many(rows, model), deadline_seconds)

    def label(
        self,
        row: Prediction | str,
        label: Truth,
        *,
        at: float | None = None,
        final: bool = False,
        deadline_seconds: float | None = None,
    ) -> Receipt:
        """Tells the truth about one row; it is on the server's disk when this returns.

        Args:
            row: A prediction, or its id.
            label: What `POST /labels` takes: a class name or index, a number, an item id, a list of names, None.
            at: Of a click, where rankings have a horizon: seconds since the epoch; None: when it arrives.
            final: The label of the row, and no click, where rankings have a horizon.
            deadline_seconds: Of this call.
        """
        return self._run(calls.label([(row, label)], at, final=final), deadline_seconds)

    def label_many(
        self,
        labels: Iterable[tuple[Prediction | str, Truth]],
        *,
        final: bool = False,
        deadline_seconds: float | None = None,
    ) -> Receipt:
        """Tells the truth about some rows; all are stored or none.

        Args:
            labels: At most 10,000 pairs as in `label`.
            final: As in `label`.
            deadline_seconds: Of this call.
        """
        return self._run(calls.label(labels, final=final), deadline_seconds)

    def infer(
        self,
        model: str,
        inputs: Mapping[str, Array],
        *,
        outputs: Sequence[str] | None = None,
        deadline_seconds: float | None = None,
    ) -> Inference:
        """The model's raw outputs, by the Open Inference Protocol with binary tensors both ways.

        Args:
            model: Name.
            inputs: Named arrays of the model's dtypes, first axis rows.
            outputs: Names of those that are wanted; None: all.
            deadline_seconds: Of this call.
        """
        return self._run(calls.infer(model, inputs, outputs), deadline_seconds)

    def ready(self, model: str | None = None, *, deadline_seconds: float | None = None) -> bool:
        """Whether the server answers and has a champion, of that model or of any. Asks once."""
        try:
            return self._run(calls.ready(model), deadline_seconds, ONCE)
        except EvertuneError:
            return False

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._target.url!r})"

    def _run(self, call: Call[Result], deadline_seconds: float | None, retry: Retry | None = None) -> Result:
        deadline = self._deadline_seconds if deadline_seconds is None else deadline_seconds
        steps = course(self._target.url, retry or self._retry, deadline, monotonic=self._monotonic, clock=self._clock)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Send):
                    step = steps.send(self._send(call, step.timeout_seconds))
                else:
                    self._sleep(step.seconds)
                    step = next(steps)
        except StopIteration as end:
            return call.read(end.value)

    def _send(self, call: Call[Result], timeout_seconds: float) -> Outcome:
        try:
            return self._http.request(
                call.method, call.path, content=call.content, headers=call.headers, timeout=timeout_seconds
            )
        except httpx.RequestError as error:
            return error
