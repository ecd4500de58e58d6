"""`evertune rollback`: back to the champion before."""

from __future__ import annotations

from cli.options import Json, Model, Reason


def rollback(model: Model = None, reason: Reason = "by hand", json_output: Json = False) -> None:
    """Go back to the champion before this one.

    A second rollback goes one further back, not forth. A running server follows within a second. The re-tune job that
    promoted the bundle, if one did, is marked as rolled back.
    """
    from cli.models import the_model
    from cli.output import actor, print_json
    from evertune.ledger import Ledger
    from evertune.settings import load_project
    from retune.rollback import rollback as take_back

    with Ledger.open(load_project().ledger_url) as ledger:
        name = the_model(ledger, model)
        deployment = take_back(ledger, name, reason=reason, actor=actor())
    if json_output:
        print_json(vars(deployment))
    else:
        print(f"{name}: {deployment.digest[:12]} is the champion again.")
