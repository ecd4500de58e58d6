"""Which deployment a job is about to replace."""

from __future__ import annotations

from typing import Any

from evertune.ledger import Deployment, Registry

CHANGED = "the champion changed after the gate, which says nothing about the new one"


def bind(champion: Deployment, registry: Registry) -> dict[str, Any]:
    """For the job's detail.

    Args:
        champion: What serves now.
        registry: Its history.

    Returns:
        `champion_sequence` tells two reigns of the same bundle apart. `champion_since` is when the bundle was promoted,
        also where a rollback brought it back: gates against it before still count against its error budget.
    """
    history = {each.sequence: each for each in registry.history(champion.model)}
    promotion = champion if champion.restores is None else history[champion.restores]
    return {
        "champion_digest": champion.digest,
        "champion_sequence": champion.sequence,
        "champion_since": promotion.decided_at,
    }
