"""When a request is sent again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from evertune.errors import InputError


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS, 2015).

    Attributes:
        attempts: Most times that a request is sent; 1: never again.
        attempt_seconds: Most time for one of them, so that a server that hangs leaves time for another.
        first_seconds: Longest wait before the second attempt; doubles with each.
        most_seconds: Longest wait before any.
        draw: Uniform in [0, 1).
    """

    attempts: int = 5
    attempt_seconds: float = 10.0
    first_seconds: float = 0.1
    most_seconds: float = 5.0
    draw: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.attempt_seconds, self.first_seconds, self.most_seconds) <= 0:
            raise InputError(f"{self} is no way to retry", fix="Give at least one attempt, and times above zero.")

    def wait_seconds(self, attempt: int, retry_after_seconds: float) -> float:
        """How long to wait after a failed attempt.

        Args:
            attempt: Its number, from 1.
            retry_after_seconds: What the server asked for; 0 where it did not. Jitter comes on top, so that clients
                that were sent away together do not come back together.

        Example:
            >>> [Retry(draw=lambda: 1.0).wait_seconds(attempt, 0.0) for attempt in (1, 2, 3, 20)]
            [0.1, 0.2, 0.4, 5.0]
            >>> Retry(draw=lambda: 0.5).wait_seconds(1, 2.0)
            2.05
        """
        doubled = self.first_seconds * 2.0 ** min(attempt - 1, 60)
        return retry_after_seconds + self.draw() * min(doubled, self.most_seconds)


ONCE = Retry(attempts=1)
"""Never again."""
