"""Guarded slices at the gate: no challenger may be worse on one of them, whatever it gains elsewhere.

The gate claims "better in all, and on no guarded slice worse by the margin or more". That is false as soon as one part
is, and a part that is false passes its own test with probability `error_rate` at most. So all parts are tested at the
full rate: an intersection-union test (R. L. Berger, "Multiparameter hypothesis testing and acceptance sampling",
Technometrics 24 (1982)).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from evertune.bundle import Bundle
from evertune.errors import JobError
from evertune.rows import Rows
from evertune.settings import Project
from evertune.statistics import paired_noninferiority
from evertune.tensors import Array
from retune.own_task import own_slices


def guarded_by(challenger: Bundle) -> Collection[str]:
    """Names of the slices that the task guarded when the bundle was made."""
    return tuple((challenger.attestation() or {}).get("guarded_slices", ()))


def slices_of(project: Project, rows: Rows, names: Collection[str]) -> Mapping[str, Array]:
    """Masks of the named slices, bool, shape (rows,).

    Raises:
        JobError: The task guards other slices by now.
        TaskError: The task fails.
    """
    if not names:
        return {}
    masks = own_slices(project, rows.inputs)
    if set(masks) != set(names):
        raise JobError(
            f"the task guards {sorted(masks)}, and at the search it guarded {sorted(names)}",
            fix="Ask for another re-tune, and leave the task's slices as they are while it runs.",
        )
    return masks


def compare_losses(
    champion: Array, challenger: Array, *, margin: float, error_rate: float, min_rows: int
) -> dict[str, Any]:
    """The paired test with the mean losses, as JSON; the means are None without rows."""
    test = paired_noninferiority(champion, challenger, margin=margin, error_rate=error_rate, min_rows=min_rows)
    means = {
        f"{name}_loss": float(losses.mean()) if len(losses) else None
        for name, losses in (("champion", champion), ("challenger", challenger))
    }
    return {**test.to_json(), **means}


def verdict(whole: Mapping[str, Any], slices: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The whole test, with the tests of the slices under "slices" and the outcome of all together.

    "not_better" where one does not pass, else "insufficient" where one has too few rows, else "better".

    Example:
        >>> verdict({"outcome": "better"}, {"night": {"outcome": "insufficient"}})["outcome"]
        'insufficient'
    """
    outcomes = [whole["outcome"], *(each["outcome"] for each in slices.values())]
    outcome = next((each for each in ("not_better", "insufficient") if each in outcomes), "better")
    return {**whole, "outcome": outcome} | ({"slices": dict(slices)} if slices else {})


def explain(gate: Mapping[str, Any]) -> str:
    """Why the gate was not passed."""
    slices = gate.get("slices", {})
    if gate["outcome"] == "insufficient":
        short = [f"{each['rows']} in the guarded slice {name!r}" for name, each in slices.items() if _is_short(each)]
        return "too few rows in the gate" + (f": {', '.join(short)}" if short else "")
    if gate["p_value"] > gate["error_rate"]:
        return f"not shown to be better: {_p_value(gate)}"
    failed = [
        f"{name!r}, where it is not shown to be less than {each['margin']:g} worse: {_p_value(each)}"
        for name, each in slices.items()
        if each["outcome"] == "not_better"
    ]
    return f"fails on the guarded slice {'; and on '.join(failed)}"


def _is_short(found: Mapping[str, Any]) -> bool:
    return bool(found["outcome"] == "insufficient")


def _p_value(found: Mapping[str, Any]) -> str:
    return f"p = {found['p_value']:.3g} of {found['error_rate']:.3g}"
