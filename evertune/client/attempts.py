"""The course of a call: send, wait, send again, give up. Knows neither sockets nor sleep, so both clients share it."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from evertune.client.errors import DeadlineError, UnreachableError, error_of
from evertune.client.retry import Retry
from evertune.clock import Clock
from evertune.errors import EvertuneError

_COME_BACK = frozenset({429, 502, 503, 504})  # of a full queue, or of a proxy that found no server


@dataclass(frozen=True)
class Send:
    """The client shall send the request, and hand back the answer or what went wrong."""

    timeout_seconds: float


@dataclass(frozen=True)
class Wait:
    """The client shall sleep."""

    seconds: float


Outcome = httpx.Response | httpx.RequestError
Course = Generator[Send | Wait, Outcome, httpx.Response]


def course(url: str, retry: Retry, deadline_seconds: float, *, monotonic: Clock, clock: Clock) -> Course:
    """Runs a call to its end.

    Args:
        url: For messages.
        retry: When to send again.
        deadline_seconds: For all attempts and waits together.
        monotonic: Seconds.
        clock: Seconds since the epoch, for a `Retry-After` that names a moment.

    Returns:
        The answer, which is a success.

    Raises:
        UnreachableError: No answer came.
        DeadlineError: Nor was there time for another attempt.
        EvertuneError: The server's own, where it is not worth another attempt.
    """
    until = monotonic() + deadline_seconds
    for attempt in itertools.count(1):
        left_seconds = until - monotonic()
        outcome = yield Send(max(0.001, min(left_seconds, retry.attempt_seconds)))
        if isinstance(outcome, httpx.Response) and outcome.is_success:
            return outcome
        wait_seconds = retry.wait_seconds(attempt, _retry_after(outcome, clock))
        in_time = monotonic() + wait_seconds < until
        if not _worth_another(outcome) or attempt >= retry.attempts or not in_time:
            raise _failure(outcome, url, attempt, deadline_seconds, in_time=in_time)
        yield Wait(wait_seconds)
    raise AssertionError("unreachable")


def _worth_another(outcome: Outcome) -> bool:
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in _COME_BACK
    lost = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)
    return isinstance(outcome, lost)


def _retry_after(outcome: Outcome, clock: Clock) -> float:
    """Seconds that the server asked to wait (RFC 9110, 10.2.3); 0 where it did not, or nobody can tell."""
    text = outcome.headers.get("Retry-After", "") if isinstance(outcome, httpx.Response) else ""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(clock(), UTC)).total_seconds())


def _failure(outcome: Outcome, url: str, attempt: int, deadline_seconds: float, *, in_time: bool) -> EvertuneError:
    if isinstance(outcome, httpx.Response):
        return error_of(outcome)
    tried = f"({type(outcome).__name__}: {outcome}; sent {attempt} times)"
    if not in_time:
        return DeadlineError(
            f"{url} gave no answer within {deadline_seconds:g} s {tried}",
            fix="Check that the server runs, or give a later deadline_seconds.",
        )
    return UnreachableError(f"{url} cannot be reached {tried}", fix="Check the URL, and that the server runs.")
