"""Building a challenger: a brief search that begins where the champion stands."""

from __future__ import annotations

import logging
from typing import Any

from evertune.bundle import Bundle, BundleStore
from evertune.kinds import decoded
from evertune.ledger import Ledger, RetuneJob
from evertune.rows import Rows
from evertune.settings import Project, TuneSettings
from evertune.task import LabelledWindow
from retune.challenger import Challenger, Order
from retune.window import load_window
from tune import Event, WarmStart, search, ship

_log = logging.getLogger("evertune.retune")


def make_challenger(order: Order) -> Challenger:
    """Searches and seals; killed and called again, it goes on with the study in the order's folder.

    Raises:
        EvertuneError: The rows, the task or the search is at fault; the message says what to do.
    """
    project, store = order.project, BundleStore.of(order.project)
    job, live = _order_of(order)
    champion = store.get(job.detail["champion_digest"])
    window = LabelledWindow(decoded(live, champion.manifest.kind, champion.manifest.labels))
    study = search(
        project.settings.project.task,
        project_root=project.root,
        window=window,
        folder=order.folder,
        settings=_settings(project, job),
        limits=project.settings.limits,
        export=project.settings.export,
        warm_start=warm_start(champion, project),
        progress=_tell,
    )
    lineage = {"retune_job": job.id, "champion_digest": champion.digest, "window_rows": len(window)}
    bundle = ship(study, project, lineage=lineage, store=store)
    return Challenger(bundle.digest, _chosen(bundle), len(study.trials))


def warm_start(champion: Bundle, project: Project) -> WarmStart:
    """The champion's hyperparameters and weights, then the best of the study that it came from."""
    return WarmStart.of_bundle(champion, project.studies)


def _order_of(order: Order) -> tuple[RetuneJob, Rows]:
    with Ledger.open(order.project.ledger_url) as ledger:
        job = ledger.jobs.get(order.job_id)
        return job, load_window(ledger, job.model, job.id, order.folder)


def _settings(project: Project, job: RetuneJob) -> TuneSettings:
    """As for a first search, but brief; each job draws other trials than the one before."""
    brief = {
        "max_trials": project.settings.retune.max_trials,
        "max_epochs": project.settings.retune.max_epochs,
        "seed": project.settings.tune.seed + job.id,
    }
    return project.settings.tune.model_copy(update=brief)


def _chosen(bundle: Bundle) -> dict[str, Any]:
    lineage: dict[str, Any] = (bundle.attestation() or {}).get("lineage", {})
    trial: dict[str, Any] = lineage.get("trial", {})
    return {key: value for key, value in trial.items() if key != "candidates"}


def _tell(event: Event) -> None:
    _log.info("%s", event)
