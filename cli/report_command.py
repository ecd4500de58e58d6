"""`evertune report`: studies, evaluations and re-tune jobs as pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Json, Model

if TYPE_CHECKING:
    from cli.reports.page import Page

app = typer.Typer(no_args_is_help=True, help="Write a study, an evaluation or a re-tune job as one offline HTML page.")
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else one in the runs folder.")]
Open = Annotated[bool, typer.Option("--open", help="Show it in the browser.")]


@app.command(epilog="Example: evertune report study --open")
def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `evertune status` lists it.")] = "main",
    output: Output = None,
    open_page: Open = False,
    json_output: Json = False,
) -> None:
    """A search: Pareto front, learning curves, importances, parallel coordinates, rejected and failed trials."""
    from cli.reports.study_report import study_page
    from evertune.settings import load_project
    from tune import load_study

    project = load_project()
    page = study_page(load_study(project.studies / name))
    _finish(page, output or project.runs / f"study-{name}.html", open_page, json_output)


@app.command(epilog="Example: evertune report evaluation 4f0c2a9be1d7 -o champion.html")
def evaluation(
    digest: Annotated[str | None, typer.Argument(metavar="DIGEST", help="Of a bundle; else the champion's.")] = None,
    model: Model = None,
    output: Output = None,
    open_page: Open = False,
    json_output: Json = False,
) -> None:
    """A bundle: scores with intervals, confusion matrix, classes, calibration, slices, precisions, origin."""
    from cli.models import the_champion
    from cli.reports.evaluation_report import evaluation_page
    from evertune.bundle import BundleStore
    from evertune.ledger import Ledger
    from evertune.settings import load_project

    project = load_project()
    with Ledger.open(project.ledger_url) as ledger:
        bundle = BundleStore.of(project).get(digest or the_champion(ledger, model).digest, fresh=True)
        page = evaluation_page(bundle, ledger.losses.since(bundle.manifest.model, bundle.digest))
    name = f"evaluation-{bundle.manifest.model}-{bundle.digest[:12]}.html"
    _finish(page, output or project.runs / name, open_page, json_output)


@app.command(epilog="Example: evertune report job 3 --open")
def job(
    number: Annotated[int | None, typer.Argument(metavar="JOB", help="Its number; else the newest job's.")] = None,
    output: Output = None,
    open_page: Open = False,
    json_output: Json = False,
) -> None:
    """A re-tune job: evidence, data, test, decision, recovery, precisions, and its search."""
    from cli.explain.story import read_story
    from cli.reports.job_report import job_page
    from evertune.ledger import Ledger
    from evertune.settings import load_project

    project = load_project()
    with Ledger.open(project.ledger_url) as ledger:
        story = read_story(project, ledger, number)
        page = job_page(story, ledger)
    _finish(page, output or project.runs / f"job-{story.job.id}.html", open_page, json_output)


def _finish(page: Page, path: Path, open_page: bool, json_output: bool) -> None:
    import webbrowser

    from cli.output import print_json
    from evertune.errors import InputError

    try:
        page.write(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", fix="Choose another with --output.") from error
    if json_output:
        print_json({"file": str(path)})
    else:
        print(path)
    if open_page:
        webbrowser.open(path.resolve().as_uri())
