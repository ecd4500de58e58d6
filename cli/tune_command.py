"""`evertune tune`: the search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Json, Study

if TYPE_CHECKING:
    from evertune.settings import Project, TuneSettings
    from tune import Study as FinishedStudy
    from tune import WarmStart

_SHOWN, _EXPLAINED = 10, 3  # best trials


def tune(
    reference: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE.py:NAME]",
            help="A Task, a keras_tuner.HyperModel or a function of hp, instead of project.task.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="MODULE:FUNCTION", help="Returns (x, y); else the function data of FILE.py does."
        ),
    ] = None,
    max_trials: Annotated[int | None, typer.Option("--max-trials", min=1, help="Instead of tune.max_trials.")] = None,
    max_epochs: Annotated[int | None, typer.Option("--max-epochs", min=1, help="Instead of tune.max_epochs.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Instead of tune.workers.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Instead of tune.seed.")] = None,
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", min=0, help="Of the whole search, instead of tune.max_seconds.")
    ] = None,
    study: Study = "main",
    warm_from: Annotated[
        str | None,
        typer.Option("--warm-from", help="A study, or a bundle (folder, digest or model): begin with what it found."),
    ] = None,
    json_output: Json = False,
) -> None:
    """Search architecture, hyperparameters and training strategy, under the limits of evertune.toml.

    Each trial is scored on the ONNX artifact that would ship. A search that was interrupted goes on where it was;
    one that has ended goes on with a larger --max-trials or --max-seconds. Another --study starts afresh, or with
    --warm-from where another search has ended: fine-tuned from its winner's weights, then its best from scratch.

    Progress goes to stderr: a live table on a terminal, else lines; with --json one JSON object a line.
    """
    from cli.output import print_json
    from cli.typed_task import project_of
    from cli.warm_from import warm_start_from
    from tune import pareto_picture

    project = project_of(reference, data)
    overrides = {"max_trials": max_trials, "max_epochs": max_epochs, "workers": workers, "seed": seed}
    warm_start = None if warm_from is None else warm_start_from(warm_from, project)
    settings = _with(project.settings.tune, {**overrides, "max_seconds": max_seconds})
    found = _search(project, study, settings, warm_start, as_json=json_output)
    picture = pareto_picture(found, project.runs / f"{study}-pareto.png")
    choice = found.best()
    if json_output:
        print_json(
            {
                "study": study,
                "best": choice.trial.to_json(),
                "choice": choice.to_json(),
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


def _search(
    project: Project, study: str, settings: TuneSettings, warm_start: WarmStart | None, *, as_json: bool
) -> FinishedStudy:
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
            warm_start=warm_start,
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
    choice = found.best()
    console.print(f"Ships {choice.reason}", highlight=False, markup=False)
    option = "" if study == "main" else f" --study {study}"
    console.print(f"\nNext: evertune export{option} --promote   (ships trial {choice.trial.trial_id})", highlight=False)
