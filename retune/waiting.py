"""Jobs whose challenger passed, but may not be promoted yet: each goes on, or ends, when its time has come."""

from __future__ import annotations

import contextlib
from typing import Literal

from evertune.errors import JobError
from evertune.ledger import Ledger, RetuneJob
from retune.brakes import Brakes
from retune.champion import CHANGED


def settle_waiting(ledger: Ledger, brakes: Brakes) -> list[RetuneJob]:
    """Looks at every job that is set aside.

    It ends as "rejected" where the champion that it was tested against has gone, and as "expired" where it waited for
    too long. It goes on where a pause or a maintenance window is over. Any number of workers may do so at once.

    Returns:
        The jobs that were changed.
    """
    changed = []
    for job in ledger.jobs.awaiting():
        with contextlib.suppress(JobError):  # somebody was quicker
            if (why := staleness(ledger, job)) is not None:
                outcome, reason = why
                changed.append(ledger.jobs.settle(job.id, outcome, {"reason": reason, "awaiting": None}))
            elif job.detail["awaiting"] != "approval" and brakes.promotion(job.model) is None:
                changed.append(ledger.jobs.settle(job.id, "pending", {"awaiting": None}))
    return changed


def approve(ledger: Ledger, job_id: int, *, actor: str, reason: str = "") -> RetuneJob:
    """Lets the challenger of a job be promoted; the re-tune worker does so, after one more look at the champion.

    Raises:
        JobError: The job awaits no approval, waited for too long, or was tested against another champion.
    """
    job = _awaiting(ledger, job_id)
    if job.detail["awaiting"] != "approval":
        raise JobError(f"job {job_id} awaits the end of a {job.detail['awaiting']}, not approval", fix="Wait for it.")
    if (why := staleness(ledger, job)) is not None:
        raise JobError(f"job {job_id} cannot be approved any more: {why[1]}", fix="Ask for another re-tune.")
    approval = {"actor": actor, "reason": reason, "at": ledger.clock()}
    return ledger.jobs.settle(job_id, "pending", {"approval": approval, "awaiting": None})


def reject(ledger: Ledger, job_id: int, *, actor: str, reason: str = "") -> RetuneJob:
    """Ends a job that is set aside; its challenger is not promoted.

    Raises:
        JobError: The job awaits nothing.
    """
    _awaiting(ledger, job_id)
    text = f"rejected by {actor}: {reason}" if reason else f"rejected by {actor}"
    return ledger.jobs.settle(job_id, "rejected", {"reason": text, "awaiting": None})


def staleness(ledger: Ledger, job: RetuneJob) -> tuple[Literal["rejected", "expired"], str] | None:
    """Why a test that was passed says nothing any more: outcome of the job, and in words."""
    champion = ledger.registry.champion(job.model)
    if champion is None or champion.sequence != job.detail["champion_sequence"]:
        return "rejected", CHANGED
    if ledger.clock() >= job.detail["awaiting_until"]:
        return "expired", f"stale: awaited {job.detail['awaiting']} for too long"
    return None


def _awaiting(ledger: Ledger, job_id: int) -> RetuneJob:
    job = ledger.jobs.get(job_id)
    if job.status != "awaiting":
        waiting = ", ".join(str(each.id) for each in ledger.jobs.awaiting())
        fix = f"Jobs that wait: {waiting}." if waiting else "No job waits for a decision; see `evertune status`."
        raise JobError(f"job {job_id} is {job.status}: it awaits nothing", fix=fix)
    return job
