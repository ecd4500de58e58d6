"""Re-tune jobs that nobody here can do."""

from __future__ import annotations

from collections.abc import Iterator

from cli.doctor.finding import Finding
from cli.doctor.ledger import sqlite_path
from evertune.ledger import Ledger
from evertune.settings import Project
from retune.foreign import Waiting, waiting_line


def examine_jobs(project: Project) -> Iterator[Finding]:
    """Whether jobs wait for workers of other projects on the same ledger.

    The ledger must be sound: see `examine_ledger`.
    """
    path = sqlite_path(project.ledger_url)
    if path is not None and not path.exists():  # opening it would make it
        return
    with Ledger.open(project.ledger_url) as ledger:
        waiting = Waiting(project)(ledger)
    for model, count in waiting.items():
        mend = f"evertune retune  (in the project whose task is named {model})"
        yield Finding("jobs", "warning", waiting_line(model, count), mend)
