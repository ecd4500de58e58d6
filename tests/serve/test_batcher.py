from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson
import pytest

from evertune.errors import OverloadedError, TooLargeError
from evertune.tensors import Tensors
from serve.asgi import Receive
from serve.batcher import Batcher, Settle
from serve.errors import ClientGoneError, ModelError
from serve.reply import Reply
from serve.ticket import Outcome, Ticket

BAD = 13


class Model:
    """Doubles numbers, keeps what it was given, and stops where it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def __call__(self, inputs: Tensors) -> Tensors:
        self.batches.append(inputs["x"].tolist())
        self.threads.add(threading.current_thread().name)
        self.entered.set()
        assert self.go_on.wait(20)
        if BAD in inputs["x"]:
            raise RuntimeError(f"{BAD} brings bad luck")
        return {"y": inputs["x"] * 2}


def settle(batch: Sequence[Ticket], inputs: Tensors, outputs: Tensors) -> Sequence[Outcome | Exception]:
    ends = np.cumsum([ticket.rows for ticket in batch])
    parts = [outputs["y"][end - ticket.rows : end] for ticket, end in zip(batch, ends, strict=True)]
    return [Outcome(ticket.key_id, {"y": part}, part) for ticket, part in zip(batch, parts, strict=True)]


def encode(outcome: Outcome) -> Reply:
    return Reply.json({"id": outcome.request_id, "y": outcome.outputs["y"]})


def ticket(*values: int, name: str = "", receive: Receive | None = None) -> Ticket:
    future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    inputs = {"x": np.array(values, np.int64)}
    return Ticket(inputs, len(values), name, time.monotonic(), encode, future, receive)


def batcher(
    model: Callable[[Tensors], Tensors],
    executor: Executor | None = None,
    *,
    settle: Settle = settle,
    max_rows: int = 8,
    max_queue_rows: int = 10_000,
) -> Batcher:
    return Batcher(model, settle, max_rows=max_rows, max_queue_rows=max_queue_rows, executor=executor)


async def told(answer: Coroutine[Any, Any, Reply]) -> Any:
    return orjson.loads((await answer).body)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("threaded", [False, True])
def test_each_request_gets_its_own_rows_and_id(threaded: bool) -> None:
    random = np.random.default_rng(0)
    requests = [random.integers(100, 10**9, 1 + index % 11).tolist() for index in range(400)]
    model = Model()

    async def ask_all() -> list[Any]:
        with ThreadPoolExecutor(1) as pool:
            one = batcher(model, pool if threaded else None)

            async def ask(index: int) -> Any:
                for _ in range(index % 5):  # some come later than others
                    await asyncio.sleep(0)
                return await told(one.submit(ticket(*requests[index], name=str(index))))

            return await asyncio.gather(*(ask(index) for index in range(len(requests))))

    answers = asyncio.run(ask_all())
    assert answers == [
        {"id": str(index), "y": [2 * value for value in values]} for index, values in enumerate(requests)
    ]
    assert max(map(len, model.batches)) <= 8
    assert sum(map(len, model.batches)) == sum(map(len, requests))


def test_a_request_waits_only_while_the_model_is_busy_and_then_goes_with_all_that_wait() -> None:
    model = Model()
    model.go_on.clear()

    async def ask() -> None:
        with ThreadPoolExecutor(1) as pool:
            one = batcher(model, pool)
            first = asyncio.create_task(told(one.submit(ticket(1))))
            await until(model.entered.is_set)  # nobody else came, and it runs already
            others = [asyncio.create_task(told(one.submit(ticket(value)))) for value in range(2, 7)]
            await until(lambda: one.queued_rows == 5)
            model.go_on.set()
            await asyncio.gather(first, *others)
            assert one.queued_rows == 0

    asyncio.run(ask())
    assert model.batches == [[1], [2, 3, 4, 5, 6]]


@pytest.mark.parametrize("threaded", [False, True])
def test_a_request_on_which_the_model_fails_fails_alone(threaded: bool) -> None:
    model = Model()

    async def ask() -> list[Any]:
        with ThreadPoolExecutor(1, "model") as pool:
            one = batcher(model, pool if threaded else None, max_rows=4)
            values = [1, 2, BAD, 4, 5, BAD, 7, 8, 9]
            answers = (told(one.submit(ticket(value))) for value in values)
            return await asyncio.gather(*answers, return_exceptions=True)

    answers = asyncio.run(ask())
    assert [answer["y"][0] if isinstance(answer, dict) else type(answer) for answer in answers] == [
        *(2, 4, RuntimeError, 8, 10, RuntimeError, 14, 16, 18)
    ]
    if threaded:  # the event loop must not stand still for the second tries either
        assert all(name.startswith("model") for name in model.threads)


def test_one_without_finite_answers_hears_of_it_and_its_neighbours_do_not() -> None:
    def settle_but_one(batch: Sequence[Ticket], inputs: Tensors, outputs: Tensors) -> Sequence[Outcome | Exception]:
        outcomes = list(settle(batch, inputs, outputs))
        outcomes[1] = ModelError("the model gave NaN")
        return outcomes

    async def ask() -> list[Any]:
        one = batcher(Model(), settle=settle_but_one)
        return await asyncio.gather(*(told(one.submit(ticket(value))) for value in (1, 2, 3)), return_exceptions=True)

    first, second, third = asyncio.run(ask())
    assert (first["y"], third["y"]) == ([2], [6])
    assert isinstance(second, ModelError)


def test_nobody_is_answered_when_the_batch_cannot_be_recorded_and_the_model_does_not_run_again() -> None:
    model = Model()

    def full(*_: Any) -> Sequence[Outcome | Exception]:
        raise OverloadedError("the spool is full")

    async def ask() -> list[Any]:
        one = batcher(model, settle=full)
        return await asyncio.gather(*(one.submit(ticket(value)) for value in (1, 2, 3)), return_exceptions=True)

    assert [type(answer) for answer in asyncio.run(ask())] == [OverloadedError] * 3
    assert model.batches == [[1, 2, 3]]


def test_an_answer_that_cannot_be_written_is_that_requests_own_trouble() -> None:
    def broken(outcome: Outcome) -> Reply:
        raise KeyError("label")

    async def ask() -> list[Any]:
        one = batcher(Model())
        odd = ticket(1)
        odd.encode = broken
        return [*await asyncio.gather(one.submit(odd), told(one.submit(ticket(2))), return_exceptions=True)]

    odd, good = asyncio.run(ask())
    assert isinstance(odd, KeyError)
    assert good["y"] == [4]


def test_a_full_queue_refuses_with_503_and_says_when_to_come_back_and_then_takes_again() -> None:
    model = Model()
    model.go_on.clear()

    async def ask() -> Reply:
        with ThreadPoolExecutor(1) as pool:
            one = batcher(model, pool, max_queue_rows=4)
            running = asyncio.create_task(one.submit(ticket(0)))
            await until(model.entered.is_set)
            waiting = [asyncio.create_task(one.submit(ticket(value, value))) for value in (1, 2)]
            await until(lambda: one.queued_rows == 4)
            with pytest.raises(OverloadedError, match="4 rows wait") as refused:
                await one.submit(ticket(3))
            model.go_on.set()
            await asyncio.gather(running, *waiting)
            assert (await told(one.submit(ticket(3))))["y"] == [6]
            return Reply.error(refused.value)

    reply = asyncio.run(ask())
    assert reply.status == 503
    assert (b"retry-after", b"1") in reply.headers


def test_a_request_that_could_never_fit_in_the_queue_is_too_large() -> None:
    async def ask() -> None:
        await batcher(Model(), max_queue_rows=3).submit(ticket(1, 2, 3, 4))

    with pytest.raises(TooLargeError, match="4 rows"):
        asyncio.run(ask())


def test_a_client_that_hangs_up_while_it_waits_is_not_computed() -> None:
    model = Model()
    model.go_on.clear()

    async def hang_up() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def ask() -> list[Any]:
        with ThreadPoolExecutor(1) as pool:
            one = batcher(model, pool, max_rows=1)
            running = asyncio.create_task(one.submit(ticket(1)))
            await until(model.entered.is_set)
            gone, cancelled = ticket(2, receive=hang_up), ticket(3)
            gone.arrived_at -= 1  # long enough to be looked after
            waiting = [asyncio.create_task(one.submit(each)) for each in (gone, cancelled, ticket(4))]
            await until(lambda: one.queued_rows == 3)
            waiting[1].cancel()
            model.go_on.set()
            return await asyncio.gather(running, *waiting, return_exceptions=True)

    answers = asyncio.run(ask())
    assert [type(answer) for answer in answers] == [Reply, ClientGoneError, asyncio.CancelledError, Reply]
    assert model.batches == [[1], [4]]


def test_a_large_request_runs_in_slices_and_comes_back_whole() -> None:
    model = Model()

    async def ask() -> Any:
        return await told(batcher(model, max_rows=4).submit(ticket(*range(20, 31))))

    assert asyncio.run(ask())["y"] == list(range(40, 62, 2))
    assert model.batches == [[20, 21, 22, 23], [24, 25, 26, 27], [28, 29, 30]]


def test_two_versions_that_share_a_thread_never_share_a_batch() -> None:
    models = Model(), Model()

    async def ask() -> None:
        with ThreadPoolExecutor(1) as pool:
            pair = [batcher(model, pool, max_rows=64) for model in models]
            answers = [told(pair[value % 2].submit(ticket(value))) for value in range(100, 400)]
            await asyncio.gather(*answers)

    asyncio.run(ask())
    for parity, model in enumerate(models):
        seen = [value for batch in model.batches for value in batch]
        assert sorted(seen) == [value for value in range(100, 400) if value % 2 == parity]
