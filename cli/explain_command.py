"""`evertune explain`: the story of a re-tune job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Json

if TYPE_CHECKING:
    from cli.explain.story import Story


def explain(
    job: Annotated[int | None, typer.Argument(metavar="JOB", help="Its number; without one the newest job.")] = None,
    json_output: Json = False,
) -> None:
    """Tell why a re-tune job was, and what came of it: evidence, data, trials, candidates, test, decision, recovery.

    `evertune status` lists the newest jobs, `evertune report job` draws the same story as a page.
    """
    from cli.explain.explain import to_json
    from cli.explain.story import read_story
    from cli.output import print_json
    from evertune.ledger import Ledger
    from evertune.settings import load_project

    project = load_project()
    with Ledger.open(project.ledger_url) as ledger:
        story = read_story(project, ledger, job)
    if json_output:
        print_json(to_json(story))
    else:
        _print(story)


def _print(story: Story) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from cli.explain.explain import explain_job
    from cli.output import local_time

    console, job = Console(), story.job
    console.print(Text(f"Job {job.id} of {job.model}: {job.status}, begun {local_time(job.created_at)}", "bold"))
    for part in explain_job(story):
        console.print(Text(part.name, "bold cyan"))
        for line in part.lines:
            console.print(Padding(Text(line), (0, 0, 0, 2)))
