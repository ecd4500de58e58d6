"""Phase 5: what the promotion brought, on rows later than all that training and gate have used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from evertune.errors import RegistryError
from evertune.ledger import Deployment
from evertune.rows import Rows
from evertune.statistics import paired_noninferiority
from retune.compare import bundle_losses
from retune.context import Context
from retune.phases.gate import check_newer
from retune.recovery import Accuracy, Recovery
from retune.rollback import rollback
from retune.step import End, Step
from retune.supply import stored_rows


def write_report(context: Context) -> Step:
    """Stores the set "report": labelled rows that the new champion predicted after its promotion.

    Both bundles run on them once more. Where the old one is shown to be better, the promotion is taken back.
    """
    ledger, job = context.ledger, context.job
    stored = ledger.jobs.rows(job.id, "report")
    if not stored:
        _wait(context)
        successor = _successor(context)
        if successor is not None:
            return _end_early(successor)
        stored = _draw(context)
    if not stored:
        return End("promoted", "promoted; no labelled row came for the report", {"report": None})
    return _conclude(context, stored_rows(ledger, job.model, stored))


def _wait(context: Context) -> None:
    settings = context.settings

    def enough() -> bool:
        return _successor(context) is not None or _count(context) >= settings.min_report_labels

    context.wait_until(enough, settings.report_wait_seconds)


def _after(context: Context) -> float:
    return max(float(context.detail["promoted_at"]), float(context.detail["gate_until"]))


def _count(context: Context) -> int:
    digest = context.detail["challenger_digest"]
    return context.ledger.labels.count_labelled(context.job.model, predicted_after=_after(context), digest=digest)


def _draw(context: Context) -> list[str]:
    ledger, job = context.ledger, context.job
    digest, newest = context.detail["challenger_digest"], context.settings.window_labels
    rows = ledger.labels.labelled_rows(job.model, predicted_after=_after(context), digest=digest, newest=newest)
    if len(rows):  # an empty set could not be told from one that was not stored
        ledger.jobs.set_rows(job.id, "report", rows.ids)
    return list(rows.ids)


def _successor(context: Context) -> Deployment | None:
    """The deployment that came after this job's, if any."""
    history = context.ledger.registry.history(context.job.model)
    return next((each for each in history if each.sequence > context.detail["deployment_sequence"]), None)


def _end_early(successor: Deployment) -> End:
    if successor.restores is not None:
        return End("rolled_back", f"rolled back by {successor.actor}: {successor.reason}", {"report": None})
    return End("promoted", f"promoted; {successor.actor} replaced it before its report was due", {"report": None})


def _conclude(context: Context, rows: Rows) -> Step:
    ledger, job, detail = context.ledger, context.job, context.detail
    learned = {*ledger.jobs.rows(job.id, "train"), *ledger.jobs.rows(job.id, "gate")}
    check_newer(rows, _after(context), learned)
    report, undo = _report(context, rows)
    done = {"report": report, "counts": {**detail["counts"], "report": len(rows)}}
    if not undo:
        return End("promoted", "promoted and reported", done)
    successor = _successor(context)
    if successor is None:
        successor = _take_back(context, len(rows))
    return replace(_end_early(successor), detail=done)


def _take_back(context: Context, rows: int) -> Deployment:
    """Rolls back, unless somebody was quicker; returns what serves instead."""
    job = context.job
    try:
        return rollback(
            context.ledger,
            job.model,
            reason=f"job {job.id}: on {rows} live rows the champion before is shown to be better",
            actor=f"retune job {job.id}",
            replaces=int(context.detail["deployment_sequence"]),
        )
    except RegistryError:
        successor = _successor(context)
        if successor is None:
            raise
        return successor


def _report(context: Context, rows: Rows) -> tuple[dict[str, Any], bool]:
    detail, settings = context.detail, context.settings
    old, new = (bundle_losses(context.store.get(detail[f"{role}_digest"]), rows) for role in ("champion", "challenger"))
    undo = paired_noninferiority(
        new, old, margin=0.0, error_rate=min(settings.error_rate, 0.49), min_rows=max(settings.min_report_labels, 1)
    )
    recovery = Recovery(_accuracy(context, "before"), _accuracy(context, "during"), Accuracy.of(new))
    report = {
        **recovery.to_json(),
        "champion_before_on_same_rows": Accuracy.of(old).to_json(),
        "undo": undo.to_json(),
        "from": float(rows.times.min()),
        "until": float(rows.times.max()),
    }
    return report, undo.outcome == "better"


def _accuracy(context: Context, when: str) -> Accuracy | None:
    """Of the champion before, on its labelled rows up to the onset, or from then to the swap."""
    detail = context.detail
    onset = detail["onset"]["predicted_at"] if detail["onset"] else None
    if onset is None:
        return None
    since, until = (0.0, onset) if when == "before" else (onset, float(detail["promoted_at"]))
    found = context.ledger.losses.window(context.job.model, detail["champion_digest"], since, until)
    return Accuracy(found.rows - found.loss_sum, found.rows)
