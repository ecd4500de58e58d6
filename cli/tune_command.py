"""`evertune tune`: the search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Json, Study

if TYPE_CHECKING:
    from evertune.settings import Project, TuneSettings
    from tune import Study as FinishedStudy

_SHOWN, _EXPLAINED = 10, 3  # best trials


def tune(
    max_trials: Annotated[int | None, typer.Option("--max-trials", min=1, help="Instead of tune.max_trials.")] = None,
    max_epochs: Annotated[int | None, typer.Option("--max-epochs", min=1, help="Instead of tune.max_epochs.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Instead of tune.workers.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Instead of tune.seed.")] = None,
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", min=0, help="Of the whole search, instead of tune.max_seconds.")
    ] = None,
    study: Study = "main",
    json_output: Json = False,
) -> None:
    """Search architecture, hyperparameters and training strategy, under the limits of evertune.toml.

    Each trial is scored on the ONNX artifact that would ship. A search that was interrupted goes on where it was;
    one that has ended goes on with a larger --max-trials or --max-seconds. Another --study starts afresh.

    Progress goes to stderr: a live table on a terminal, else lines; with --json one JSON object a line.
    """
    from cli.output import print_json
    from evertune.settings import load_project
    from tune import pareto_picture

    project = load_project()
    overrides = {"max_trials": max_trials, "max_epochs": max_epochs, "workers": workers, "seed": seed}
    settings = _with(project.settings.tune, {**overrides, "max_seconds": max_seconds})
    found = _search(project, study, settings, as_json=json_output)
    picture = pareto_picture(found, project.runs / f"{study}-pareto.png")
    if json_output:
        print_json(
            {
                "study": study,
                "best": found.best.to_json(),
                "pareto": [record.trial_id for record in found.pareto],
                "trials": [record.to_json() for record in found.trials],
                "picture": str(picture),
            }
        )
    else:
        _print(found, study, str(picture))


def _with(settings: TuneSettings, overrides: dict[str, Any]) -> TuneSettings:
    given = {name: value for name, value in overrides.items() if value is not None}
    return type(settings).model_validate({**settings.model_dump(), **given})


def _search(project: Project, study: str, settings: TuneSettings, *, as_json: bool) -> FinishedStudy:
    from rich.console import Console

    from cli.search_view import SearchView
    from evertune.task import LabelledWindow
    from tune import search

    folder = project.studies / study
    with SearchView(Console(stderr=True), folder, as_json=as_json) as view:
        return search(
            project.settings.project.task,
            project_root=project.root,
            window=LabelledWindow(),
            folder=folder,
            settings=settings,
            limits=project.settings.limits,
            export=project.settings.export,
            progress=view,
        )


def _print(found: FinishedStudy, study: str, picture: str) -> None:
    from rich.console import Console

    from cli.tables import settings_of, trials_table

    console = Console()
    order = sorted(found.trials, key=lambda record: -1.0 if record.score is None else record.score, reverse=True)
    console.print(trials_table(order[:_SHOWN], title=f"{len(order)} trials, the best first"))
    console.print(settings_of(order[:_EXPLAINED]))
    best = ", ".join(record.trial_id for record in found.pareto)
    console.print(
        f"None beats these in accuracy, latency and size at once: {best}. Picture: {picture}", highlight=False
    )
    option = "" if study == "main" else f" --study {study}"
    console.print(f"\nNext: evertune export{option} --promote   (ships trial {found.best.trial_id})", highlight=False)
