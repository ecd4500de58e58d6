"""Phase 4: the challenger that passed the gate becomes champion, once, and only when it may."""

from __future__ import annotations

from typing import Any, Literal

from evertune.errors import RegistryError
from evertune.ledger import Deployment
from retune.brakes import Brakes
from retune.champion import CHANGED
from retune.context import Context
from retune.step import Await, End, Next, Step


def promote(context: Context) -> Step:
    """Promotes with the gate's finding as evidence, unless the champion is not the one that the gate measured.

    What the settings, a pause or a maintenance window put before it comes first.
    """
    ledger, job, detail = context.ledger, context.job, context.detail
    deployment = _mine(ledger.registry.history(job.model), job.id)
    if deployment is None:
        obstacle = _obstacle(context)
        if obstacle is not None:
            return obstacle
        context.holding.check()
        try:
            deployment = ledger.registry.promote(
                job.model,
                detail["challenger_digest"],
                reason=_reason(context),
                evidence={**_evidence(detail), "job_id": job.id},
                actor=f"retune job {job.id}",
                replaces=int(detail["champion_sequence"]),
            )
        except RegistryError:
            return End("rejected", CHANGED)
    return Next("report", {"promoted_at": deployment.decided_at, "deployment_sequence": deployment.sequence})


def _obstacle(context: Context) -> Step | None:
    champion = context.ledger.registry.champion(context.job.model)
    if champion is None or champion.sequence != int(context.detail["champion_sequence"]):
        return End("rejected", CHANGED)  # before anybody is asked
    mode = context.settings.promotion
    if context.detail.get("approval") is None:  # who approved is heard, whatever the settings say by now
        if mode == "off":
            return End("recommended", "passed its gate; retune.promotion is off, so nothing was promoted")
        if mode == "approve":
            return _await(context, "approval")
    hold = Brakes(context.ledger, context.settings).promotion(context.job.model)
    return None if hold is None else _await(context, hold.what)


def _await(context: Context, what: Literal["approval", "pause", "maintenance"]) -> Await:
    """The time to wait counts from the first wait of the job."""
    until = context.ledger.clock() + context.settings.promotion_wait_seconds
    return Await(what, {"awaiting_until": context.detail.get("awaiting_until", until)})


def _reason(context: Context) -> str:
    passed, approval = f"re-tune job {context.job.id} passed its gate", context.detail.get("approval")
    if approval is None:
        return passed
    return f"{passed}, approved by {approval['actor']}{approval['reason'] and ': '}{approval['reason']}"


def _mine(history: list[Deployment], job_id: int) -> Deployment | None:
    """What this job promoted before it was killed: a second time would undo a rollback made since."""
    mine = (each for each in history if each.restores is None and each.evidence.get("job_id") == job_id)
    return next(mine, None)


def _evidence(detail: dict[str, Any]) -> dict[str, Any]:
    names = ("gate", "counts", "onset", "alarm", "champion_digest", "trial", "approval")
    return {key: detail[key] for key in names if key in detail}
