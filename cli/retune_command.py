"""`evertune retune`: answers evidence with a job."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import LOG_FORMAT, Json, Model


def retune(
    once: Annotated[bool, typer.Option("--once", help="Decide and work off what is open, then end.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Ask for a re-tune, drift or not.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="With --now: kept with the request.")] = "",
    model: Model = None,
    json_output: Json = False,
) -> None:
    """Run the re-tune worker: schedules, webhook, POST /retune, decisions, jobs. Until it is stopped, or once: --once.

    With --now it only asks: the running worker decides, under cooldown and budget, and a challenger still has to win
    its test. Add --once to do the work at once, here.
    """
    import logging

    from evertune.errors import InputError
    from evertune.settings import load_project
    from retune.run import run

    given = {"--reason": reason, "--model": model, "--json": json_output}
    if not now and any(given.values()):
        names = ", ".join(name for name, value in given.items() if value)
        raise InputError(f"{names}: only a request takes that", fix=f"Add --now, or leave {names} out.")
    project = load_project()
    if now:
        _ask(project.ledger_url, model, reason, json_output)
    if now and not once:
        return
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    run(project, once=once)


def _ask(ledger_url: str, model: str | None, reason: str, json_output: bool) -> None:
    from cli.models import the_model
    from cli.output import print_json
    from evertune.ledger import Ledger
    from retune.ask import ask

    with Ledger.open(ledger_url) as ledger:
        request, _ = ask(ledger, the_model(ledger, model), without_drift=True, reason=reason)
    if json_output:
        print_json(vars(request))
    else:
        print(f"Request {request.id} to re-tune {request.model}: `evertune status` shows what becomes of it.")
