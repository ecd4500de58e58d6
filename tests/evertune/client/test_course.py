"""The course of a call, with nothing behind it."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertune.client import Retry
from evertune.client.attempts import Outcome, Send, Wait, course
from evertune.errors import EvertuneError

REQUEST = httpx.Request("POST", "http://here/predict")
GOOD = httpx.Response(200, request=REQUEST)
BAD: list[Outcome] = [
    httpx.Response(503, headers={"Retry-After": "3"}, request=REQUEST),
    httpx.Response(502, request=REQUEST),
    httpx.Response(400, request=REQUEST),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("late"),
    httpx.RemoteProtocolError("cut off"),
    httpx.UnsupportedProtocol("none"),
]


@given(
    outcomes=st.lists(st.sampled_from([*BAD, GOOD]), min_size=1, max_size=20),
    took=st.lists(st.floats(0, 20), min_size=20, max_size=20),
    attempts=st.integers(1, 8),
    deadline=st.floats(0.1, 60),
    draw=st.floats(0, 1, exclude_max=True),
)
def test_a_call_ends_in_time_with_an_answer_or_an_error(
    outcomes: list[Outcome], took: list[float], attempts: int, deadline: float, draw: float
) -> None:
    now, sent = 0.0, 0
    steps = course(
        "http://here", Retry(attempts=attempts, draw=lambda: draw), deadline, monotonic=lambda: now, clock=lambda: 0
    )
    step: Send | Wait = next(steps)
    try:
        while True:
            if isinstance(step, Wait):
                now += step.seconds
                assert now < deadline  # nobody waits for nothing
                step = next(steps)
                continue
            assert 0 < step.timeout_seconds <= max(0.001, min(deadline - now, 10.0))
            now += min(took[sent], step.timeout_seconds)
            sent += 1
            step = steps.send(outcomes[min(sent, len(outcomes)) - 1])
    except StopIteration as end:
        ended = end.value
    except EvertuneError as error:
        ended = error
    last = outcomes[min(sent, len(outcomes)) - 1]
    assert ended is GOOD if last is GOOD else isinstance(ended, EvertuneError)
    assert sent <= attempts
    assert now <= deadline + 0.001


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0, 100))
def test_a_wait_is_never_shorter_than_asked_nor_longer_than_the_most(attempt: int, draw: float, asked: float) -> None:
    wait = Retry(draw=lambda: draw).wait_seconds(attempt, asked)
    assert asked <= wait <= asked + 5.0


def test_what_cannot_be_sent_is_not_tried_again() -> None:
    steps = course("http://here", Retry(), 30, monotonic=lambda: 0.0, clock=lambda: 0.0)
    next(steps)
    with pytest.raises(EvertuneError, match="sent 1 times"):
        steps.send(httpx.UnsupportedProtocol("none"))
