"""`evertune approve`: a challenger that passed its test may be promoted."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json

Job = Annotated[int, typer.Argument(metavar="JOB", help="Number of the job, as `evertune status` shows it.", min=1)]
Why = Annotated[str, typer.Option("--reason", help="Kept with the job, and in the registry's history.")]


def approve(job: Job, reason: Why = "", json_output: Json = False) -> None:
    """Approve the promotion of a job's challenger. The running re-tune worker promotes it at its next look.

    Refused where the champion is not the one any more that the challenger was tested against, or the test has become
    stale. Only for jobs that await approval: `retune.promotion = "approve"`.
    """
    from cli.output import actor, print_json
    from evertune.ledger import Ledger
    from evertune.settings import load_project
    from retune.waiting import approve as let_go_on

    with Ledger.open(load_project().ledger_url) as ledger:
        settled = let_go_on(ledger, job, actor=actor(), reason=reason)
    if json_output:
        print_json(vars(settled))
    else:
        digest = settled.detail["challenger_digest"][:12]
        print(f"Job {job} is approved: `evertune retune` promotes {digest} to champion of {settled.model}.")
