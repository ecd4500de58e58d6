"""`evertune reject`: a challenger that passed its test is not promoted all the same."""

from __future__ import annotations

from cli.approve_command import Job, Why
from cli.options import Json


def reject(job: Job, reason: Why = "", json_output: Json = False) -> None:
    """End a job that awaits approval, or the end of a pause. The champion stays; its bundle stays in the store."""
    from cli.output import actor, print_json
    from evertune.ledger import Ledger
    from evertune.settings import load_project
    from retune.waiting import reject as end

    with Ledger.open(load_project().ledger_url) as ledger:
        settled = end(ledger, job, actor=actor(), reason=reason)
    if json_output:
        print_json(vars(settled))
    else:
        print(f"Job {job} is rejected: the champion of {settled.model} stays.")
