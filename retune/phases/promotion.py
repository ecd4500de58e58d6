"""Phase 4: the challenger that passed the gate becomes champion, once."""

from __future__ import annotations

from typing import Any

from evertune.errors import RegistryError
from evertune.ledger import Deployment
from retune.context import Context
from retune.step import End, Next, Step


def promote(context: Context) -> Step:
    """Promotes with the gate's finding as evidence, unless the champion is not the one that the gate measured."""
    ledger, job, detail = context.ledger, context.job, context.detail
    deployment = _mine(ledger.registry.history(job.model), job.id)
    if deployment is None:
        context.holding.check()
        try:
            deployment = ledger.registry.promote(
                job.model,
                detail["challenger_digest"],
                reason=f"re-tune job {job.id} passed its gate",
                evidence={**_evidence(detail), "job_id": job.id},
                actor=f"retune job {job.id}",
                replaces=int(detail["champion_sequence"]),
            )
        except RegistryError:
            return End("rejected", "the champion changed after the gate, which says nothing about the new one")
    return Next("report", {"promoted_at": deployment.decided_at, "deployment_sequence": deployment.sequence})


def _mine(history: list[Deployment], job_id: int) -> Deployment | None:
    """What this job promoted before it was killed: a second time would undo a rollback made since."""
    mine = (each for each in history if each.restores is None and each.evidence.get("job_id") == job_id)
    return next(mine, None)


def _evidence(detail: dict[str, Any]) -> dict[str, Any]:
    return {key: detail[key] for key in ("gate", "counts", "onset", "alarm", "champion_digest", "trial")}
