"""Work-conserving batching: a request waits only while the model is busy, never for a timer.

What has arrived when the runner becomes free is the next batch. BentoML's own batcher waits by a fitted latency model
and sheds load (its issue 3200); this one has no such knob: batches grow by themselves as load grows.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future

import numpy as np

from evertune.errors import OverloadedError, TooLargeError
from evertune.tensors import Tensors
from serve.errors import ClientGoneError
from serve.reply import Reply
from serve.ticket import Outcome, Ticket

_WATCH_AFTER_SECONDS = 0.05  # a queue shorter than that empties before a client that hung up costs anything

Run = Callable[[Tensors], Tensors]
Settle = Callable[[Sequence[Ticket], Tensors, Tensors], Sequence[Outcome | Exception]]


class Batcher:
    """Collects tickets of one loaded model into batches. Lives on one event loop.

    Args:
        run: Runs a batch; called in `executor`, or on the loop where that is None.
        settle: Turns a batch's inputs and outputs into one outcome or error a ticket, on the loop, before anyone is
            answered. An error that it raises fails the batch.
        max_rows: Most rows a call of `run`; a larger request runs in slices.
        max_queue_rows: Most rows that wait.
        executor: None for models whose largest batch is quicker than handing it to a thread.
    """

    def __init__(
        self, run: Run, settle: Settle, *, max_rows: int, max_queue_rows: int, executor: Executor | None
    ) -> None:
        self._run, self._settle = run, settle
        self._max_rows, self._max_queue_rows = max_rows, max_queue_rows
        self._executor = executor
        self._queue: deque[Ticket] = deque()
        self._alone: deque[Ticket] = deque()  # were in a batch on which the model failed
        self._busy = False  # running, or a dispatch is scheduled
        self.queued_rows = 0

    async def submit(self, ticket: Ticket) -> Reply:
        """Queues a ticket and waits for its answer.

        Raises:
            TooLargeError: The request alone has more rows than the queue may hold.
            OverloadedError: The queue is full.
            ClientGoneError: The client hung up while it waited.
        """
        if ticket.rows > self._max_queue_rows:
            raise TooLargeError(
                f"the request has {ticket.rows} rows", fix=f"Send at most {self._max_queue_rows} rows a request."
            )
        if self.queued_rows + ticket.rows > self._max_queue_rows:
            raise OverloadedError(f"{self.queued_rows} rows wait already", fix="Send it again a little later.")
        self._queue.append(ticket)
        self.queued_rows += ticket.rows
        if not self._busy:
            self._busy = True
            asyncio.get_running_loop().call_soon(self._dispatch)  # after the other requests of this turn of the loop
        try:
            return await ticket.future
        finally:
            if ticket.watcher is not None:
                ticket.watcher.cancel()

    def _dispatch(self) -> None:
        batch = self._take()
        if not batch:
            self._busy = False
        elif self._executor is None:
            self._finish(batch, _attempt(self._compute, batch))
        else:
            loop = asyncio.get_running_loop()
            running = self._executor.submit(self._compute, batch)
            running.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finish, batch, done))

    def _take(self) -> list[Ticket]:
        """The oldest waiting requests that fit in one batch; at least one. Clients that hung up drop out here."""
        while self._alone:
            ticket = self._alone.popleft()
            if not ticket.future.done():
                return [ticket]
        batch: list[Ticket] = []
        rows = 0
        while self._queue and (not batch or rows + self._queue[0].rows <= self._max_rows):
            ticket = self._queue.popleft()
            self.queued_rows -= ticket.rows
            if not ticket.future.done():
                batch.append(ticket)
                rows += ticket.rows
        return batch

    def _compute(self, batch: Sequence[Ticket]) -> tuple[Tensors, Tensors]:
        inputs = _stack([ticket.inputs for ticket in batch])
        rows = sum(ticket.rows for ticket in batch)
        if rows <= self._max_rows:
            return inputs, self._run(inputs)
        starts = range(0, rows, self._max_rows)
        slices = ({name: value[start : start + self._max_rows] for name, value in inputs.items()} for start in starts)
        return inputs, _stack([self._run(part) for part in slices])

    def _finish(self, batch: Sequence[Ticket], done: Future[tuple[Tensors, Tensors]]) -> None:
        try:
            outcomes = self._settle(batch, *done.result())
        except Exception as error:  # whatever it was, the clients must hear of it
            self._fail(batch, error, computed=done.exception() is None)
        else:
            replies = [_encode(ticket, outcome) for ticket, outcome in zip(batch, outcomes, strict=True)]
            for ticket, reply in zip(batch, replies, strict=True):
                _resolve(ticket, reply)
        self._watch_those_who_wait()
        if self._queue or self._alone:
            asyncio.get_running_loop().call_soon(self._dispatch)
        else:
            self._busy = False

    def _fail(self, batch: Sequence[Ticket], error: Exception, *, computed: bool) -> None:
        """Where the model failed on a batch, each request runs alone: one bad request must not fail its neighbours."""
        if len(batch) > 1 and not computed:
            self._alone.extend(batch)  # they come next, one dispatch each: all here at once would hold up the loop
            return
        for ticket in batch:
            _resolve(ticket, error)

    def _watch_those_who_wait(self) -> None:
        oldest = time.monotonic() - _WATCH_AFTER_SECONDS
        for ticket in self._queue:
            if ticket.arrived_at > oldest:
                break
            if ticket.watcher is None and ticket.receive is not None:
                ticket.watcher = asyncio.get_running_loop().create_task(_watch(ticket))


def _encode(ticket: Ticket, outcome: Outcome | Exception) -> Reply | Exception:
    if isinstance(outcome, Exception):
        return outcome
    try:
        return ticket.encode(outcome)
    except Exception as error:  # of one request; the others of its batch have nothing to do with it
        return error


def _resolve(ticket: Ticket, reply: Reply | Exception) -> None:
    if ticket.future.done():  # cancelled, or the client hung up
        return
    if isinstance(reply, Exception):
        ticket.future.set_exception(reply)
    else:
        ticket.future.set_result(reply)


async def _watch(ticket: Ticket) -> None:
    assert ticket.receive is not None
    while (await ticket.receive())["type"] != "http.disconnect":
        pass
    _resolve(ticket, ClientGoneError())


def _attempt(
    compute: Callable[[Sequence[Ticket]], tuple[Tensors, Tensors]], batch: Sequence[Ticket]
) -> Future[tuple[Tensors, Tensors]]:
    done: Future[tuple[Tensors, Tensors]] = Future()
    try:
        done.set_result(compute(batch))
    except Exception as error:
        done.set_exception(error)
    return done


def _stack(parts: Sequence[Tensors]) -> Tensors:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
