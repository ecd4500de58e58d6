"""Jobs that wait for a worker of another project: several projects may share a ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from evertune.errors import TaskError
from evertune.ledger import Ledger
from evertune.settings import Project
from retune.brakes import Brakes
from retune.building import BuilderKilledError
from retune.own_task import own_model


def foreign_jobs(ledger: Ledger, own_model: str | None, not_to_start: Collection[str] = ()) -> Mapping[str, int]:
    """How many jobs of other models no worker holds, by model.

    Args:
        ledger: Where jobs are.
        own_model: Of this project's task; None where that is not known, so that every model is another.
        not_to_start: Models whose jobs may not begin now: they wait for that, not for a worker.
    """
    waiting = ledger.jobs.claimable(not_to_start=not_to_start)
    return dict(sorted(Counter(job.model for job in waiting if job.model != own_model).items()))


class Waiting:
    """Looks again and again which jobs wait for workers of other projects. The task is asked for its name once.

    Args:
        project: The one that is not another.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._own: str | None = None

    def __call__(self, ledger: Ledger) -> Mapping[str, int]:
        """How many, by model. Where the task cannot be asked, this project can do no job, and all are counted."""
        held = Brakes(ledger, self._project.settings.retune).not_to_start()
        found = foreign_jobs(ledger, self._own, held)
        if not found or self._own is not None:
            return found
        try:
            self._own = own_model(self._project)
        except (TaskError, BuilderKilledError):
            return found
        return foreign_jobs(ledger, self._own, held)


def waiting_line(model: str, count: int) -> str:
    """For people.

    Example:
        >>> waiting_line("shoes", 2)
        '2 jobs wait for a worker of model shoes'
    """
    return f"{count} job{'s wait' if count != 1 else ' waits'} for a worker of model {model}"
