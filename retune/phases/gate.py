"""Phase 3: champion and challenger on newer labelled rows that neither has seen."""

from __future__ import annotations

from typing import Any

from evertune.errors import JobError
from evertune.rows import Rows
from evertune.statistics import paired_noninferiority, spend
from retune.champion import bind
from retune.compare import bundle_losses, check_comparable
from retune.context import Context
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
    ledger, job, settings = context.ledger, context.job, context.settings
    after = float(context.detail["train_until"])

    def count() -> int:
        return ledger.labels.count_labelled(job.model, predicted_after=after, exclude_job_sets=_USED)

    if not context.wait_until(lambda: count() >= settings.min_gate_labels, settings.gate_wait_seconds):
        return End("insufficient", f"{count()} newer labelled rows for the gate, {settings.min_gate_labels} are needed")
    champion = ledger.registry.champion(job.model)
    if champion is None or champion.digest == context.detail["challenger_digest"]:
        return End("rejected", "the challenger is the champion already")
    bound = bind(champion, ledger.registry)
    if any(context.detail[key] != value for key, value in bound.items()):
        context.holding.update(detail=bound)
    rows = ledger.labels.labelled_rows(
        job.model, predicted_after=after, newest=settings.window_labels, exclude_job_sets=_USED
    )
    context.holding.check()  # from here on the rows are spent
    ledger.jobs.set_rows(job.id, "gate", rows.ids)
    return None


def _test(context: Context, rows: Rows) -> dict[str, Any]:
    ledger, detail, settings = context.ledger, context.detail, context.settings
    champion, challenger = (context.store.get(detail[f"{role}_digest"]) for role in ("champion", "challenger"))
    check_comparable(champion, challenger)
    index = max(1, ledger.jobs.gates_since_champion(context.job.model, float(detail["champion_since"])))
    losses = [bundle_losses(bundle, rows) for bundle in (champion, challenger)]
    test = paired_noninferiority(
        *losses,
        margin=settings.margin,
        error_rate=spend(settings.error_rate, index),
        min_rows=settings.min_gate_labels,
    )
    means = {"champion_loss": float(losses[0].mean()), "challenger_loss": float(losses[1].mean())}
    return {**test.to_json(), **means, "gate_number": index}


def _conclude(context: Context, gate: dict[str, Any], rows: Rows) -> Step:
    detail = {
        "gate": gate,
        "counts": {**context.detail["counts"], "gate": len(rows)},
        "gate_from": float(rows.times.min()),
        "gate_until": float(rows.times.max()),
    }
    if gate["outcome"] == "better":
        return Next("promote", detail)
    if gate["outcome"] == "insufficient":
        return End("insufficient", "too few rows in the gate", detail)
    return End("rejected", f"not shown to be better: p = {gate['p_value']:.3g} of {gate['error_rate']:.3g}", detail)
