"""Since when a bundle's labels count: its latest time as champion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evertune.ledger.registry import Deployment


@dataclass(frozen=True)
class Tenure:
    """The latest deployment of a bundle.

    A bundle that a rollback brings back starts anew: what was held against it before is answered.

    Attributes:
        deployment: Its sequence; 0 where the bundle never was champion.
        since: Rows predicted before it belong to an earlier tenure. Minus infinity for the first tenure, so that
            clocks of server and registry need not agree.
    """

    deployment: int
    since: float

    @classmethod
    def of(cls, digest: str, history: Sequence[Deployment]) -> Tenure:
        """The tenure of a bundle.

        Args:
            digest: Of the bundle.
            history: Of its model, the oldest deployment first.
        """
        mine = [deployment for deployment in history if deployment.digest == digest]
        if not mine:
            return cls(0, -math.inf)
        return cls(mine[-1].sequence, mine[-1].decided_at if len(mine) > 1 else -math.inf)
