"""Requests to re-tune: each asks, none decides."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import Connection, insert, select, update

from evertune.clock import Clock
from evertune.errors import InputError, JobError
from evertune.ledger.database import Database
from evertune.ledger.schema import retune_requests

Trigger = Literal["drift", "alertmanager", "schedule", "manual", "http"]
RequestStatus = Literal["open", "accepted", "suppressed"]


@dataclass(frozen=True)
class RetuneRequest:
    """One wish for a re-tune.

    Attributes:
        id: Number.
        model: Name.
        trigger: Who asks.
        fingerprint: The same for the same wish told twice.
        evidence: What the asker saw, as JSON; checked again in the ledger before anything follows.
        requested_at: Seconds since the epoch.
        status: "open" until decided.
        reason: Of the decision; while it is open, what it waits for, if anything.
        job_id: Of the job that follows, where accepted.
    """

    id: int
    model: str
    trigger: str
    fingerprint: str
    evidence: dict[str, Any]
    requested_at: float
    status: str
    reason: str
    job_id: int | None


class RetuneRequests:
    """Requests in order of arrival."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(
        self, model: str, trigger: Trigger, fingerprint: str, evidence: Mapping[str, Any]
    ) -> tuple[RetuneRequest, bool]:
        """Adds a request unless the model has one with that fingerprint.

        Returns:
            The request, and whether it is new.

        Raises:
            InputError: The trigger is unknown, or the fingerprint is empty or over 256 characters.
        """
        if trigger not in get_args(Trigger):
            raise InputError(f"trigger {trigger!r} is unknown", fix=f"Use one of {', '.join(get_args(Trigger))}.")
        if not 0 < len(fingerprint) <= 256:
            raise InputError("the fingerprint is empty or over 256 characters", fix="Give 1 to 256 characters.")
        column = retune_requests.c
        with self._database.write("retune_requests") as connection:
            same = (column.model == model, column.fingerprint == fingerprint)
            row = connection.execute(select(retune_requests).where(*same)).one_or_none()
            if row is not None:
                return RetuneRequest(*row), False
            wish = {"model": model, "trigger": trigger, "fingerprint": fingerprint, "evidence": dict(evidence)}
            values = {**wish, "requested_at": self._clock(), "status": "open", "reason": "", "job_id": None}
            return RetuneRequest(*connection.execute(_ADD, values).one()), True

    def open(self) -> list[RetuneRequest]:
        """Requests that nobody has decided yet, the oldest first."""
        return self._select(select(retune_requests).where(retune_requests.c.status == "open").order_by("id"))

    def list(self, model: str | None = None, limit: int = 100) -> list[RetuneRequest]:
        """Requests of a model, or of all, the newest first."""
        query = select(retune_requests).order_by(retune_requests.c.id.desc()).limit(limit)
        return self._select(query if model is None else query.where(retune_requests.c.model == model))

    def get(self, request_id: int) -> RetuneRequest:
        """One request.

        Raises:
            JobError: There is none with that number.
        """
        with self._database.read() as connection:
            return _get(connection, request_id)

    def decide(
        self, request_id: int, status: Literal["accepted", "suppressed"], reason: str, job_id: int | None = None
    ) -> RetuneRequest:
        """Closes a request. Deciding the same again changes the reason only.

        Raises:
            JobError: There is no such request, or it was decided otherwise.
        """
        with self._database.write("retune_requests") as connection:
            request = _get(connection, request_id)
            if request.status not in ("open", status):
                raise JobError(
                    f"request {request_id} is {request.status} already, not {status}", fix="Leave it as it is."
                )
            values = {"status": status, "reason": reason, "job_id": request.job_id if job_id is None else job_id}
            connection.execute(update(retune_requests).where(retune_requests.c.id == request_id).values(values))
            return _get(connection, request_id)

    def hold(self, request_id: int, reason: str) -> None:
        """Notes what an open request waits for, or that it waits no more (""); a decided one is left alone."""
        column = retune_requests.c
        change = update(retune_requests).where(column.id == request_id, column.status == "open")
        with self._database.write("retune_requests") as connection:
            connection.execute(change.values(reason=reason))

    def _select(self, query: Any) -> builtins.list[RetuneRequest]:
        with self._database.read() as connection:
            return [RetuneRequest(*row) for row in connection.execute(query)]


_ADD = insert(retune_requests).returning(*retune_requests.c)


def _get(connection: Connection, request_id: int) -> RetuneRequest:
    row = connection.execute(select(retune_requests).where(retune_requests.c.id == request_id)).one_or_none()
    if row is None:
        raise JobError(f"there is no re-tune request {request_id}", fix="List them with `evertune status`.")
    return RetuneRequest(*row)
