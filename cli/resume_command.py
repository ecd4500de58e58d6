"""`evertune resume`: the end of a pause."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json, Model


def resume(
    reason: Annotated[str, typer.Option("--reason", help="Kept in the ledger.")] = "",
    model: Model = None,
    json_output: Json = False,
) -> None:
    """End a pause. What was asked for meanwhile is decided now; a challenger that waited is promoted."""
    from cli.models import the_model
    from cli.output import actor, print_json
    from evertune.ledger import Ledger
    from evertune.settings import load_project

    with Ledger.open(load_project().ledger_url) as ledger:
        name = the_model(ledger, model)
        made = ledger.pauses.resume(name, reason=reason, actor=actor())
    if json_output:
        print_json({"model": name, "was_paused": made is not None})
    else:
        print(f"{name} is re-tuned again." if made else f"{name} was not paused.")
