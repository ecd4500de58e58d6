"""Phase 3: champion and challenger on newer labelled rows that neither has seen."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import partial
from typing import Any

from evertune.errors import JobError
from evertune.rows import Rows
from evertune.statistics import spend
from retune.champion import bind
from retune.compare import bundle_losses, check_comparable
from retune.context import Context
from retune.guards import compare_losses, explain, guarded_by, slices_of, verdict
from retune.step import End, Next, Step
from retune.supply import stored_rows

_USED = ("train", "gate")  # of any job: such rows prove nothing


def hold_gate(context: Context) -> Step:
    """Stores the set "gate" and tests on it once.

    Which rows: all labelled ones predicted strictly after the newest training row, as soon as they are enough. That
    depends on their number and on time, never on what their labels say.
    """
    ledger, job = context.ledger, context.job
    stored = ledger.jobs.rows(job.id, "gate")
    if not stored:
        obstacle = _draw(context)
        if obstacle is not None:
            return obstacle
        stored = ledger.jobs.rows(job.id, "gate")
    rows = stored_rows(ledger, job.model, stored)
    check_newer(rows, float(context.detail["train_until"]), set(ledger.jobs.rows(job.id, "train")))
    return _conclude(context, _test(context, rows), rows)


def check_newer(rows: Rows, earlier_until: float, earlier_ids: set[str]) -> None:
    """Holds train < gate < report in time, and disjoint.

    Raises:
        JobError: A row is not strictly newer than the set before, or is in it.
    """
    if len(rows) and float(rows.times.min()) <= earlier_until:
        raise JobError("a row is not newer than the rows of the set before", fix="Report this as a defect.")
    if not earlier_ids.isdisjoint(rows.ids):
        raise JobError("a row is in two sets of the job", fix="Report this as a defect.")


def _draw(context: Context) -> End | None:
    """Chooses the gate's rows and the champion that the challenger meets."""
    obstacle = _wait(context)
    if obstacle is not None:
        return obstacle
    ledger, job = context.ledger, context.job
    champion = ledger.registry.champion(job.model)
    if champion is None or champion.digest == context.detail["challenger_digest"]:
        return End("rejected", "the challenger is the champion already")
    bound = bind(champion, ledger.registry)
    if any(context.detail[key] != value for key, value in bound.items()):
        context.holding.update(detail=bound)
    rows = _candidates(context)
    context.holding.check()  # from here on the rows are spent
    ledger.jobs.set_rows(job.id, "gate", rows.ids)
    return None


def _wait(context: Context) -> End | None:
    """Until there are rows enough, in all and in each guarded slice. Inputs decide who is in one, never labels."""
    settings = context.settings
    guards = guarded_by(context.store.get(context.detail["challenger_digest"]))
    needed, why = settings.min_gate_labels, f"{settings.min_gate_labels} are needed"
    while context.wait_until(partial(_has, context, needed), settings.gate_wait_seconds):
        count, shortest = _count(context), _shortest(context, guards)
        if shortest is None or shortest[1] >= settings.min_slice_labels:
            return None
        name, found = shortest
        why = f"{found} of them in the guarded slice {name!r}, where {settings.min_slice_labels} are needed"
        # So many more at least; and no process of the task for each new row.
        needed = max(count + settings.min_slice_labels - found, math.ceil(1.1 * count))
    return End("insufficient", f"{_count(context)} newer labelled rows for the gate, {why}")


def _shortest(context: Context, guards: Collection[str]) -> tuple[str, int] | None:
    """The guarded slice with the fewest rows, and how many."""
    if not guards:
        return None
    masks = slices_of(context.project, _candidates(context), guards)
    return min(((name, int(mask.sum())) for name, mask in masks.items()), key=lambda each: each[1])


def _has(context: Context, needed: int) -> bool:
    return _count(context) >= needed


def _count(context: Context) -> int:
    after = float(context.detail["train_until"])
    return context.ledger.labels.count_labelled(context.job.model, predicted_after=after, exclude_job_sets=_USED)


def _candidates(context: Context) -> Rows:
    return context.ledger.labels.labelled_rows(
        context.job.model,
        predicted_after=float(context.detail["train_until"]),
        newest=context.settings.window_labels,
        exclude_job_sets=_USED,
    )


def _test(context: Context, rows: Rows) -> dict[str, Any]:
    """One test on all rows, and one on each guarded slice, all at the same error rate: all must pass."""
    ledger, detail, settings = context.ledger, context.detail, context.settings
    champion, challenger = (context.store.get(detail[f"{role}_digest"]) for role in ("champion", "challenger"))
    check_comparable(champion, challenger)
    masks = slices_of(context.project, rows, guarded_by(challenger))
    index = max(1, ledger.jobs.gates_since_champion(context.job.model, float(detail["champion_since"])))
    losses = [bundle_losses(bundle, rows) for bundle in (champion, challenger)]
    error_rate = spend(settings.error_rate, index)
    whole = compare_losses(*losses, margin=settings.margin, error_rate=error_rate, min_rows=settings.min_gate_labels)
    slices = {
        name: compare_losses(
            *(each[mask] for each in losses),
            margin=settings.slice_margin,
            error_rate=error_rate,
            min_rows=settings.min_slice_labels,
        )
        for name, mask in masks.items()
    }
    return verdict(whole, slices) | {"gate_number": index}


def _conclude(context: Context, gate: dict[str, Any], rows: Rows) -> Step:
    detail = {
        "gate": gate,
        "counts": {**context.detail["counts"], "gate": len(rows)},
        "gate_from": float(rows.times.min()),
        "gate_until": float(rows.times.max()),
    }
    if gate["outcome"] == "better":
        return Next("promote", detail)
    return End("insufficient" if gate["outcome"] == "insufficient" else "rejected", explain(gate), detail)
