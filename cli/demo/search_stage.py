"""Search, evaluation and export of the demo: the same commands' parts, with a word about each result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.demo.timeline import Timeline
from cli.evaluation_table import confusion_table, evaluation_table
from cli.promote_command import promote_bundle
from cli.search_view import SearchView
from cli.tables import candidates_table, settings_of, trials_table
from evertune.settings import Project
from evertune.task import LabelledWindow
from tune import Study, pareto_picture, search, ship

_STUDY = "main"
_EXPLAINED = 3  # of the best trials


@dataclass(frozen=True)
class SearchResult:
    """The first champion.

    Attributes:
        digest: Of its bundle.
        recipes_tried: Precisions that were made and measured.
        confusion: On its test rows; rows are truths.
        picture: Of the Pareto front, PNG.
    """

    digest: str
    recipes_tried: tuple[str, ...]
    confusion: Sequence[Sequence[int]]
    picture: Path


def run_search(project: Project, console: Console, timeline: Timeline) -> SearchResult:
    """Searches, ships the winner and makes it champion, printing what it finds."""
    console.rule("search")
    timeline.mark("search", "two families, strategy included, scored on the ONNX artifact that would ship")
    study = _search(project, console)
    picture = pareto_picture(study, project.root / "pareto.png")
    _show_trials(study, console)
    timeline.mark("search ended", f"{len(study.trials)} trials; picture: {picture}")
    console.rule("evaluation and export of the winner")
    bundle = ship(study, project)
    attestation: dict[str, Any] = bundle.attestation() or {}
    console.print(evaluation_table(attestation["evaluation"]))
    console.print(confusion_table(attestation["evaluation"]))
    _show_export(attestation, console)
    promote_bundle(project, bundle, f"winner of the study {_STUDY}")
    timeline.mark("first champion", f"{bundle.manifest.recipe}, sealed as {bundle.digest}")
    tried = tuple(each["recipe"] for each in attestation["candidates"] if each["accuracy"] is not None)
    return SearchResult(bundle.digest, tried, attestation["evaluation"]["confusion"], picture)


def _search(project: Project, console: Console) -> Study:
    settings = project.settings
    with SearchView(console, project.studies / _STUDY) as view:
        return search(
            settings.project.task,
            project_root=project.root,
            window=LabelledWindow(),
            folder=project.studies / _STUDY,
            settings=settings.tune,
            limits=settings.limits,
            export=settings.export,
            progress=view,
        )


def _show_trials(study: Study, console: Console) -> None:
    ranked = sorted(study.trials, key=lambda record: record.score or -1.0, reverse=True)
    console.print(trials_table(ranked, title=f"{len(ranked)} trials, the best first"))
    console.print(settings_of(ranked[:_EXPLAINED]))


def _show_export(attestation: dict[str, Any], console: Console) -> None:
    parity = attestation["parity"]
    console.print(
        f"Parity with the source model on {parity['rows']} rows in batches of {parity['batch_sizes']}: largest "
        f"difference {parity['absolute']:.1e}, relative {parity['relative']:.1e}, "
        f"same decision in {parity['agreement_ratio']:.1%}",
        highlight=False,
        markup=False,
    )
    console.print(candidates_table(attestation))
    console.print(f"Chosen: {attestation['reason']}", highlight=False, markup=False)
