"""Jobs that wait for a worker of another project: several projects may share a ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from evertune.ledger import Ledger


def foreign_jobs(ledger: Ledger, own_model: str | None, not_to_start: Collection[str] = ()) -> Mapping[str, int]:
    """How many jobs of other models no worker holds, by model.

    Args:
        ledger: Where jobs are.
        own_model: Of this project's task; None where that is not known, so that every model is another.
        not_to_start: Models whose jobs may not begin now: they wait for that, not for a worker.
    """
    waiting = ledger.jobs.claimable(not_to_start=not_to_start)
    return dict(sorted(Counter(job.model for job in waiting if job.model != own_model).items()))


def waiting_line(model: str, count: int) -> str:
    """For people.

    Example:
        >>> waiting_line("shoes", 2)
        '2 jobs wait for a worker of model shoes'
    """
    return f"{count} job{'s wait' if count != 1 else ' waits'} for a worker of model {model}"
