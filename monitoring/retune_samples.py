"""What re-tuning did about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

from sqlalchemy import Connection, func, select

from evertune.ledger.schema import deployments, retune_jobs, retune_requests
from monitoring.samples import Sample

_TRIGGERS = ("drift", "alertmanager", "schedule", "manual", "http")
_OUTCOMES = ("promoted", "rejected", "insufficient", "failed", "recommended", "expired")
_AWAITED = ("approval", "pause", "maintenance")
# Why a wish is not granted, as the re-tuner writes it; another word counts as "other".
_REASONS = ("no_champion", "stale_evidence", "no_evidence", "active_job", "cooldown", "daily_budget", "other")

_AWAITING = select(retune_jobs.c.detail).where(retune_jobs.c.status == "awaiting")  # one a model: it is active


def retune_samples(connection: Connection, model: str) -> Iterator[Sample]:
    """Counts of one model. Every series is there from the start, or the first increase would go unseen."""
    place = {"model": model}
    requests, suppressed = _requests(connection, model)
    for trigger in _TRIGGERS:
        yield Sample("evertune_retune_requests_total", requests[trigger], {**place, "trigger": trigger})
    for reason in _REASONS:
        yield Sample("evertune_retune_suppressed_total", suppressed[reason], {**place, "reason": reason})
    runs, running = _runs(connection, model)
    for trigger, outcome in product(_TRIGGERS, _OUTCOMES):
        labels = {**place, "trigger": trigger, "outcome": outcome}
        yield Sample("evertune_retune_runs_total", runs[trigger, outcome], labels)
    yield Sample("evertune_retune_running", running, place)
    awaited = connection.scalar(_AWAITING.where(retune_jobs.c.model == model)) or {}
    for what in _AWAITED:
        yield Sample("evertune_retune_awaiting", awaited.get("awaiting") == what, {**place, "for": what})
    yield from _history(connection, model)


def _requests(connection: Connection, model: str) -> tuple[Counter[str], Counter[str]]:
    column = retune_requests.c
    count = (column.trigger, column.status, column.reason)
    query = select(*count, func.count()).where(column.model == model).group_by(*count)
    by_trigger, by_reason = Counter[str](), Counter[str]()
    for trigger, status, reason, rows in connection.execute(query):
        by_trigger[trigger] += rows
        if status == "suppressed":
            by_reason[reason if reason in _REASONS else "other"] += rows
    return by_trigger, by_reason


def _runs(connection: Connection, model: str) -> tuple[Counter[tuple[str, str]], bool]:
    """Ended jobs by trigger and outcome, and whether one is active.

    A job whose champion was taken back did promote: the counter must not fall.
    """
    job, request = retune_jobs.c, retune_requests.c
    query = (
        select(request.trigger, job.status, func.count())
        .select_from(retune_jobs.outerjoin(retune_requests, request.id == job.request_id))
        .where(job.model == model)
        .group_by(request.trigger, job.status)
    )
    runs, running = Counter[tuple[str, str]](), False
    for trigger, status, rows in connection.execute(query):
        running |= status in ("pending", "running", "awaiting")
        runs[trigger or "manual", "promoted" if status == "rolled_back" else status] += rows
    return runs, running


def _history(connection: Connection, model: str) -> Iterator[Sample]:
    job, deployment, place = retune_jobs.c, deployments.c, {"model": model}
    promoted = select(func.max(job.updated_at)).where(job.model == model, job.status == "promoted")
    rollbacks = select(func.count()).where(deployment.model == model, deployment.restores.is_not(None))
    last = connection.scalar(promoted)
    if last is not None:
        yield Sample("evertune_retune_last_success_timestamp_seconds", float(last), place)
    yield Sample("evertune_rollbacks_total", int(connection.scalar(rollbacks) or 0), place)
