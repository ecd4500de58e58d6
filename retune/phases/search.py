"""Phase 2: search briefly, the incumbent's settings and weights first, and seal the winner."""

from __future__ import annotations

from retune.challenger import Order
from retune.context import Context
from retune.step import Next, Step


def search(context: Context) -> Step:
    """Has the challenger built. The study's folder is the job's own, so a killed search goes on where it was."""
    job = context.job
    # The time of creation keeps a new ledger's job 1 out of the study of an old ledger's job 1.
    name = f"retune-{job.id}-{int(job.created_at * 1000)}"
    challenger = context.build(Order(context.project, job.id, context.project.studies / name), context.holding.check)
    context.holding.check()
    return Next(
        "gate",
        {
            "study": name,
            "challenger_digest": challenger.digest,
            "trial": challenger.trial,
            "trials": challenger.trials,
        },
    )
