"""Taking back a promotion."""

from __future__ import annotations

from evertune.ledger import Deployment, Ledger


def rollback(ledger: Ledger, model: str, *, reason: str, actor: str, replaces: int | None = None) -> Deployment:
    """Brings back the champion before this one; servers swap as after a promotion.

    The restored bundle begins a new reign: the evaluator starts its detector anew for the new deployment, and the alarm
    that once led away from it no longer counts (see `read_evidence`). If it fits no better, the alarm comes again. The
    job that had promoted what is taken back is noted as rolled back, and the cooldown counts from now.

    Args:
        ledger: Where it is written.
        model: Name.
        reason: In words.
        actor: Who decided.
        replaces: Sequence of the deployment that shall be taken back; None: whatever serves.

    Raises:
        RegistryError: There is nothing to go back to, or another deployment serves than the one meant.
    """
    replaced = ledger.registry.champion(model)
    restored = ledger.registry.rollback(model, reason=reason, actor=actor, replaces=replaces)
    job_id = None if replaced is None or replaced.restores is not None else replaced.evidence.get("job_id")
    # A job that is still at its report sees the new deployment by itself.
    if isinstance(job_id, int) and ledger.jobs.get(job_id).status == "promoted":
        note = {"rolled_back_at": restored.decided_at, "reason": f"rolled back by {actor}: {reason}"}
        ledger.jobs.mark_rolled_back(job_id, note)
    return restored
