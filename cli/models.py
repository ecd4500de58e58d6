"""Which model a command means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evertune.errors import InputError

if TYPE_CHECKING:
    from evertune.ledger import Deployment, Ledger


def the_model(ledger: Ledger, name: str | None) -> str:
    """The model of that name, or the only one that was ever promoted.

    Raises:
        InputError: There is none, or the choice is not clear.
    """
    known = ledger.registry.models()
    if name is not None:
        if name in known:
            return name
        raise InputError(f"model {name!r} was never promoted", fix=f"Known models: {', '.join(known) or 'none yet'}.")
    if len(known) == 1:
        return known[0]
    if not known:
        raise InputError("no model was promoted yet", fix="Run `evertune tune`, then `evertune export --promote`.")
    raise InputError(f"there are several models: {', '.join(known)}", fix="Add --model NAME.")


def the_champion(ledger: Ledger, name: str | None) -> Deployment:
    """The champion of `the_model`.

    Raises:
        InputError: There is none, or the choice is not clear.
    """
    model = the_model(ledger, name)
    champion = ledger.registry.champion(model)
    if champion is None:
        raise InputError(f"{model!r} has no champion", fix="Run `evertune promote DIGEST`.")
    return champion
