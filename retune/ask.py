"""Asking for a re-tune by hand, by schedule or over HTTP."""

from __future__ import annotations

from typing import Literal

from evertune.errors import UnknownModelError
from evertune.ids import new_request_id
from evertune.ledger import Ledger, RetuneRequest
from retune.decision import WITHOUT_DRIFT


def ask(
    ledger: Ledger,
    model: str,
    trigger: Literal["manual", "schedule", "http"] = "manual",
    *,
    without_drift: bool = False,
    fingerprint: str | None = None,
    reason: str = "",
    actor: str = "",
) -> tuple[RetuneRequest, bool]:
    """Adds a request; cooldown, budget and the rule of one active job hold for it as for any other.

    Args:
        ledger: Where it is written.
        model: Name.
        trigger: Who asks.
        without_drift: Asks even where the ledger holds no evidence of drift.
        fingerprint: The same for the same wish (a schedule's slot, say); None: a new wish.
        reason: In words, kept with the request.
        actor: Who it is, kept with the request.

    Returns:
        The request, and whether it is new.

    Raises:
        UnknownModelError: The model has no champion to replace.
    """
    known = ledger.registry.models()
    if model not in known:
        raise UnknownModelError(
            f"{model!r} has no champion", fix=f"Name one of {', '.join(known)}." if known else "Run `evertune tune`."
        )
    name = fingerprint or f"{trigger}:{new_request_id(ledger.clock())}"
    told = {WITHOUT_DRIFT: without_drift, "reason": reason, "actor": actor}
    return ledger.requests.add(model, trigger, name, {key: value for key, value in told.items() if value})
