"""Which deployment a job is about to replace."""

from __future__ import annotations

from typing import Any

from evertune.ledger import Deployment


def bind(champion: Deployment) -> dict[str, Any]:
    """For the job's detail. The sequence tells two reigns of the same bundle apart."""
    return {
        "champion_digest": champion.digest,
        "champion_sequence": champion.sequence,
        "champion_since": champion.decided_at,
    }
