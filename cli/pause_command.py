"""`evertune pause`: re-tuning of a model holds still."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json, Model


def pause(
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="When it ends by itself.")] = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="DURATION", help="Or for how long: 2h, 3d.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Kept in the ledger, and shown by `evertune status`.")] = "",
    model: Model = None,
    json_output: Json = False,
) -> None:
    """Let no re-tune of a model begin, and promote nothing, until `evertune resume` or the end given here.

    What asks for a re-tune meanwhile is kept, and decided afterwards. A job that runs trains and tests its challenger,
    then waits. Serving and watching go on; a promotion that its own report shows to be worse is still taken back.
    """
    from cli.models import the_model
    from cli.output import actor, local_time, print_json
    from evertune.errors import InputError
    from evertune.ledger import Ledger
    from evertune.settings import load_project

    if until is not None and duration is not None:
        raise InputError("--until and --for both say when the pause ends", fix="Give one of them.")
    with Ledger.open(load_project().ledger_url) as ledger:
        end = _end(until, duration, ledger.clock())
        made = ledger.pauses.pause(the_model(ledger, model), until=end, reason=reason, actor=actor())
    if json_output:
        print_json(vars(made))
    else:
        print(f"{made.model} is paused until {'`evertune resume`' if end is None else local_time(end)}.")


def _end(until: str | None, duration: str | None, now: float) -> float | None:
    from cli.times import parse_duration, parse_moment

    if until is not None:
        return parse_moment(until)
    return None if duration is None else now + parse_duration(duration)
