"""`evertune status`: where things stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Json

if TYPE_CHECKING:
    from evertune.ledger import Deployment, Ledger
    from evertune.settings import Project
    from monitoring.bundle_facts import BundleFacts

_LATEST = 5  # requests and jobs that people are shown; programs ask the ledger for more


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option("--interval", min=0.2, help="With --watch: seconds between looks.")] = 2.0,
    json_output: Json = False,
) -> None:
    """Show champions with their evidence of drift, labels, re-tune requests and jobs, and searches.

    With --watch it is a live table, with the rates of predictions and labels between two looks.
    """
    from cli.output import print_json
    from cli.status_text import print_status
    from cli.status_watch import watch_status
    from evertune.errors import InputError
    from evertune.settings import load_project

    if watch and json_output:
        raise InputError("--watch draws a table, --json prints one object", fix="Leave one of them out.")
    look = look_at(load_project())
    if watch:
        watch_status(look, interval)
    elif json_output:
        print_json(look())
    else:
        print_status(look())


def look_at(project: Project) -> Callable[[], dict[str, Any]]:
    """Gives the function that tells where a project stands; bundles, which never change, it reads once."""
    from cli.searches import Searches
    from evertune.bundle import BundleStore
    from evertune.ledger import Ledger
    from monitoring.bundle_facts import BundleFacts
    from retune.foreign import Waiting

    searches = Searches(project.studies)
    waiting = Waiting(project)
    facts = BundleFacts(BundleStore.of(project))

    def look() -> dict[str, Any]:
        with Ledger.open(project.ledger_url) as ledger:
            return {
                "project": str(project.root),
                "task": project.settings.project.task,
                "at": ledger.clock(),
                "models": [_model(project, facts, ledger, name) for name in ledger.registry.models()],
                "waiting": dict(waiting(ledger)),
                "schedules": _schedules(project, ledger.clock()),
                "studies": _studies(project),
                "searches": searches.look(ledger.clock()),
            }

    return look


def _model(project: Project, facts: BundleFacts, ledger: Ledger, name: str) -> dict[str, Any]:
    history = ledger.registry.history(name)
    champion = history[-1]
    return {
        "model": name,
        "champion": vars(champion),
        "deployments": len(history),
        "reference": _reference(facts, champion.digest),
        "since_promotion": _window(ledger, name, champion.digest),
        "evidence": _evidence(ledger, champion),
        "held": _held(project, ledger, name),
        "requests": [vars(request) for request in ledger.requests.list(name, _LATEST)],
        "jobs": [vars(job) for job in ledger.jobs.list(name, _LATEST)],
    }


def _reference(facts: BundleFacts, digest: str) -> dict[str, Any] | str:
    from evertune.errors import BundleError

    try:
        return facts.of(digest).reference.to_json()
    except BundleError as error:  # a damaged bundle must not hide the rest of the picture
        return str(error)


def _window(ledger: Ledger, name: str, digest: str) -> dict[str, Any]:
    """All predictions of this bundle, and those of them whose label the evaluator has read."""
    until = ledger.clock() + 1
    predicted = ledger.predictions.window(name, digest, 0.0, until)
    losses = ledger.losses.window(name, digest, 0.0, until)
    return {
        "predicted_rows": predicted.rows,
        "mean_confidence": predicted.confidence_sum / predicted.rows if predicted.rows else None,
        "labelled_rows": losses.rows,
        "accuracy": 1 - losses.loss_sum / losses.rows if losses.rows else None,
    }


def _evidence(ledger: Ledger, champion: Deployment) -> dict[str, Any] | None:
    from retune.evidence import read_evidence

    evidence = read_evidence(ledger, champion)
    return None if evidence is None else evidence.to_json()


def _held(project: Project, ledger: Ledger, name: str) -> dict[str, str | None]:
    """What a pause or a maintenance window holds back now, in words."""
    from retune.brakes import Brakes

    brakes = Brakes(ledger, project.settings.retune)
    holds = {"starts": brakes.start(name), "promotions": brakes.promotion(name)}
    return {what: None if hold is None else hold.text for what, hold in holds.items()}


def _schedules(project: Project, now: float) -> list[dict[str, Any]]:
    schedules = project.settings.retune.schedules
    return [{**each.model_dump(), "next_at": each.moments.after(now)} for each in schedules]


def _studies(project: Project) -> list[str]:
    return sorted(journal.parent.name for journal in project.studies.glob("*/journal.jsonl"))
