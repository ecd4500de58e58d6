"""What re-tuning did about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, product

from sqlalchemy import Connection, func, select

from evertune.ledger.schema import deployments, retune_jobs, retune_requests
from monitoring.samples import Sample

_TRIGGERS = ("drift", "alertmanager", "schedule", "manual", "http")
_PHASES = ("waiting", "train_rows", "search", "gate", "promote", "report", "other")  # "waiting": for a worker
_SCHEDULED = 10  # wishes: with one a working day, a weekend is always among them
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
    yield from _wishes(connection, model)
    yield from _phases(connection, model)


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


def _wishes(connection: Connection, model: str) -> Iterator[Sample]:
    """When each trigger asked last, and how regularly the schedule does."""
    column = retune_requests.c
    newest = select(column.trigger, func.max(column.requested_at)).where(column.model == model).group_by(column.trigger)
    for trigger, at in connection.execute(newest):
        if trigger in _TRIGGERS:
            labels = {"model": model, "trigger": trigger}
            yield Sample("evertune_retune_last_request_timestamp_seconds", float(at), labels)
    scheduled = select(column.requested_at).where(column.model == model, column.trigger == "schedule")
    times = connection.scalars(scheduled.order_by(column.id.desc()).limit(_SCHEDULED)).all()
    if len(times) > 1:
        longest = max(later - earlier for later, earlier in pairwise(times))
        yield Sample("evertune_retune_schedule_interval_seconds", float(longest), {"model": model})


def _phases(connection: Connection, model: str) -> Iterator[Sample]:
    """Where the newest job is, and how long it was where it has been."""
    job = retune_jobs.c
    query = select(job.status, job.phase, job.detail).where(job.model == model).order_by(job.id.desc()).limit(1)
    status, phase, detail = connection.execute(query).one_or_none() or ("", "", {})
    now = ""
    if status in ("pending", "running"):
        now = "waiting" if not phase else phase if phase in _PHASES else "other"
    for each in _PHASES:
        yield Sample("evertune_retune_phase", each == now, {"model": model, "phase": each})
    for each, seconds in detail.get("seconds", {}).items():
        if each in _PHASES:
            yield Sample("evertune_retune_phase_seconds", float(seconds), {"model": model, "phase": each})
