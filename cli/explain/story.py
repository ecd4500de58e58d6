"""All that is known of a re-tune job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evertune.bundle import BundleStore
from evertune.errors import BundleError, InputError, JobError, SearchError
from evertune.ledger import Deployment, Ledger, RetuneJob, RetuneRequest
from evertune.settings import Project

if TYPE_CHECKING:
    from tune import Study

_RECENT = 5


@dataclass(frozen=True)
class Story:
    """A job with what it left in ledger, studies and bundle store.

    Attributes:
        job: As it stands.
        request: That it follows; None where nobody asked.
        study: Its search; None where it never came to one, or its folder is gone.
        attestation: Of the challenger; None where there is none, or its bundle is gone.
        deployment: Its promotion; None where there was none.
        successor: What was deployed after that.
    """

    job: RetuneJob
    request: RetuneRequest | None
    study: Study | None
    attestation: dict[str, Any] | None
    deployment: Deployment | None
    successor: Deployment | None

    @property
    def detail(self) -> dict[str, Any]:
        """What the job's phases left."""
        return self.job.detail


def read_story(project: Project, ledger: Ledger, number: int | None) -> Story:
    """Gathers it; what was pruned or lies on another machine is left out.

    Args:
        project: Whose studies and bundles are read.
        ledger: Of the project.
        number: Of the job; None for the newest.

    Raises:
        JobError: There is no such job.
        InputError: There is no job at all.
    """
    job = _job(ledger, number)
    request = None if job.request_id is None else ledger.requests.get(job.request_id)
    sequence = job.detail.get("deployment_sequence")
    history = ledger.registry.history(job.model)
    return Story(
        job,
        request,
        _study(project, job.detail.get("study")),
        _attestation(project, job.detail.get("challenger_digest")),
        next((each for each in history if each.sequence == sequence), None),
        next((each for each in history if sequence is not None and each.sequence > sequence), None),
    )


def _job(ledger: Ledger, number: int | None) -> RetuneJob:
    recent = ledger.jobs.list(limit=_RECENT)
    if not recent:
        raise InputError(
            "there is no re-tune job yet", fix="A job follows an alarm, or `evertune retune --now`; see the status."
        )
    if number is None:
        return recent[0]
    try:
        return ledger.jobs.get(number)
    except JobError as error:
        shown = ", ".join(f"{job.id} ({job.model}, {job.status})" for job in recent)
        raise JobError(error.message, fix=f"The newest are {shown}.", jobs=[job.id for job in recent]) from error


def _study(project: Project, name: Any) -> Study | None:
    from tune import load_study

    try:
        return None if name is None else load_study(project.studies / str(name))
    except SearchError:
        return None


def _attestation(project: Project, digest: Any) -> dict[str, Any] | None:
    try:
        return None if digest is None else BundleStore.of(project).get(str(digest)).attestation()
    except BundleError:
        return None
