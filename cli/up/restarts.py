"""When a process that ended is started again, and when that is given up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """Delays double with each quick crash in a row, and begin anew once a process has run for a while.

    Attributes:
        first_delay_seconds: Before the first restart.
        longest_delay_seconds: Before any.
        quick_seconds: A process that ends sooner after its start has crashed quickly.
        most_quick_crashes: In a row; that many are given up on.
    """

    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 30.0
    quick_seconds: float = 30.0
    most_quick_crashes: int = 5


class Restarts:
    """Counts the crashes of one process."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._quick = 0

    def next_delay(self, lived_seconds: float) -> float | None:
        """How long to wait before the next start; None: give up.

        Example:
            >>> restarts = Restarts(RestartPolicy(most_quick_crashes=3))
            >>> [restarts.next_delay(lived) for lived in (1.0, 1.0, 900.0, 1.0, 1.0)]
            [0.5, 1.0, 0.5, 0.5, 1.0]
            >>> restarts.next_delay(1.0) is None
            True
        """
        policy = self._policy
        quick = lived_seconds < policy.quick_seconds
        self._quick = self._quick + 1 if quick else 0
        if self._quick >= policy.most_quick_crashes:
            return None
        doublings = max(self._quick - 1, 0)
        return min(float(policy.first_delay_seconds * 2**doublings), policy.longest_delay_seconds)
