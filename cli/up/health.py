"""When a process that runs, but answers no more, counts as hung."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HealthPolicy:
    """How long a process may be silent: a busy machine is slow, and a restart would only make it slower.

    Attributes:
        interval_seconds: Between the end of one probe and the next.
        probe_seconds: A probe that takes longer has failed.
        most_failures: In a row; after that many the process is hung.
    """

    interval_seconds: float = 5.0
    probe_seconds: float = 2.0
    most_failures: int = 6


class Health:
    """Counts the failed probes of one process.

    Args:
        policy: How many are too many.
        now: Monotonic seconds at which the process was ready.
    """

    def __init__(self, policy: HealthPolicy, now: float) -> None:
        self._policy = policy
        self._failures = 0
        self._next_at = now + policy.interval_seconds

    def is_due(self, now: float) -> bool:
        """Whether it is time for a probe."""
        return now >= self._next_at

    def is_hung(self, answered: bool, now: float) -> bool:
        """Takes the result of a probe that ended now.

        Example:
            >>> health = Health(HealthPolicy(most_failures=2), now=0.0)
            >>> [health.is_hung(answered, 0.0) for answered in (False, True, False, False)]
            [False, False, False, True]
        """
        self._failures = 0 if answered else self._failures + 1
        self._next_at = now + self._policy.interval_seconds
        return self._failures >= self._policy.most_failures
