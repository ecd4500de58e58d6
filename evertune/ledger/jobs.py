"""Re-tune jobs: leased, so that a killed worker's job goes on in the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Select, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from evertune.clock import Clock
from evertune.errors import InputError, JobError
from evertune.ledger import job_rows
from evertune.ledger.database import Database
from evertune.ledger.schema import retune_jobs, retune_requests

Outcome = Literal["promoted", "rejected", "insufficient", "failed", "rolled_back", "recommended", "expired"]


@dataclass(frozen=True)
class RetuneJob:
    """One attempt to replace a champion.

    Attributes:
        id: Number.
        model: Name.
        request_id: Of the request it follows, if any.
        status: "pending", "running", "awaiting" (its challenger passed, but may not be promoted yet), or an outcome:
            "promoted", "rejected", "insufficient", "failed", "rolled_back", "recommended", "expired".
        phase: Where a worker that takes it over goes on; empty at first.
        detail: JSON that phases leave for later ones.
        attempt: How often it was claimed.
        lease_owner: Who works on it; empty where nobody.
        lease_expires_at: Seconds since the epoch; after it another worker may claim the job.
        created_at: Seconds since the epoch.
        updated_at: Seconds since the epoch.
    """

    id: int
    model: str
    request_id: int | None
    status: str
    phase: str
    detail: dict[str, Any]
    attempt: int
    lease_owner: str
    lease_expires_at: float
    created_at: float
    updated_at: float


class RetuneJobs:
    """Jobs, at most one active (pending, running or awaiting) a model."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, model: str, request_id: int | None = None) -> RetuneJob:
        """Adds a pending job; the request it follows is accepted in the same transaction.

        Raises:
            JobError: The model has an active job.
        """
        now = self._clock()
        values = {"model": model, "request_id": request_id, "created_at": now, "updated_at": now, **_NEW}
        try:
            with self._database.write("retune_jobs") as connection:
                job = RetuneJob(*connection.execute(_ADD, values).one())
                if request_id is not None:
                    accepted = {"status": "accepted", "job_id": job.id}
                    connection.execute(_OPEN_REQUEST.where(retune_requests.c.id == request_id).values(accepted))
                return job
        except IntegrityError as error:
            raise JobError(f"{model} has an active re-tune job", fix="Wait until it ends.", model=model) from error

    def claim(
        self,
        owner: str,
        lease_seconds: float,
        *,
        models: Collection[str] | None = None,
        not_to_start: Collection[str] = (),
    ) -> RetuneJob | None:
        """Takes the oldest job that is pending, or whose lease has run out; None where there is none.

        Args:
            owner: Who works on it from now on.
            lease_seconds: How long, unless renewed.
            models: Those whose jobs the owner can do; None: all.
            not_to_start: Models whose jobs may go on, but not begin.
        """
        now = self._clock()
        query = _claimable(now, not_to_start).limit(1)
        if models is not None:
            query = query.where(retune_jobs.c.model.in_(models))
        with self._database.write("retune_jobs") as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            values = {"status": "running", "attempt": row.attempt + 1, "lease_owner": owner, "updated_at": now}
            return _change(connection, row.id, values | {"lease_expires_at": now + lease_seconds})

    def claimable(self, *, not_to_start: Collection[str] = ()) -> Sequence[RetuneJob]:
        """Jobs that `claim` could take now, the oldest first."""
        with self._database.read() as connection:
            return [RetuneJob(*row) for row in connection.execute(_claimable(self._clock(), not_to_start))]

    def renew(self, job_id: int, owner: str, lease_seconds: float) -> bool:
        """Prolongs a lease. False: the job is not this owner's any more, and the owner must stop."""
        now, column = self._clock(), retune_jobs.c
        mine = (column.id == job_id, column.status == "running", column.lease_owner == owner)
        with self._database.write("retune_jobs") as connection:
            change = update(retune_jobs).where(*mine).values(lease_expires_at=now + lease_seconds)
            return connection.execute(change).rowcount == 1

    def update(
        self, job_id: int, owner: str, *, phase: str | None = None, detail: Mapping[str, Any] | None = None
    ) -> RetuneJob:
        """Notes progress; `detail` is merged key by key into what is there.

        Raises:
            JobError: The job is not this owner's (any more).
        """
        with self._database.write("retune_jobs") as connection:
            job = _owned(connection, job_id, owner)
            values = {"phase": job.phase if phase is None else phase, "detail": {**job.detail, **(detail or {})}}
            return _change(connection, job_id, values | {"updated_at": self._clock()})

    def finish(self, job_id: int, owner: str, status: Outcome, detail: Mapping[str, Any] | None = None) -> RetuneJob:
        """Ends a job and frees its model for the next.

        Raises:
            JobError: The job is not this owner's (any more).
        """
        if status not in get_args(Outcome):
            raise InputError(f"{status!r} is no outcome", fix=f"Use one of {', '.join(get_args(Outcome))}.")
        with self._database.write("retune_jobs") as connection:
            job = _owned(connection, job_id, owner)
            values = {"status": status, "detail": {**job.detail, **(detail or {})}, "updated_at": self._clock()}
            return _change(connection, job_id, values)

    def park(self, job_id: int, owner: str, detail: Mapping[str, Any]) -> RetuneJob:
        """Sets a job aside until `settle`: no worker holds it meanwhile, and none claims it.

        Raises:
            JobError: The job is not this owner's (any more).
        """
        with self._database.write("retune_jobs") as connection:
            job = _owned(connection, job_id, owner)
            values = {"status": "awaiting", "lease_owner": "", "lease_expires_at": 0.0, "updated_at": self._clock()}
            return _change(connection, job_id, values | {"detail": {**job.detail, **detail}})

    def settle(self, job_id: int, status: Literal["pending"] | Outcome, detail: Mapping[str, Any]) -> RetuneJob:
        """Lets a job that awaits something go on in its phase ("pending"), or ends it.

        Raises:
            JobError: There is no such job, or it does not await anything (any more).
        """
        with self._database.write("retune_jobs") as connection:
            job = _get(connection, job_id)
            if job.status != "awaiting":
                raise JobError(f"job {job_id} is {job.status}: it awaits nothing", fix="See `evertune status`.")
            values = {"status": status, "detail": {**job.detail, **detail}, "updated_at": self._clock()}
            return _change(connection, job_id, values)

    def awaiting(self) -> Sequence[RetuneJob]:
        """Jobs that are set aside, the oldest first."""
        query = select(retune_jobs).where(retune_jobs.c.status == "awaiting").order_by(retune_jobs.c.id)
        with self._database.read() as connection:
            return [RetuneJob(*row) for row in connection.execute(query)]

    def mark_rolled_back(self, job_id: int, detail: Mapping[str, Any] | None = None) -> RetuneJob:
        """Notes that what a job promoted was taken back.

        Raises:
            JobError: The job promoted nothing.
        """
        with self._database.write("retune_jobs") as connection:
            job = _get(connection, job_id)
            if job.status not in ("promoted", "rolled_back"):
                raise JobError(f"job {job_id} is {job.status}, not promoted", fix="Name the job that promoted.")
            values = {"status": "rolled_back", "detail": {**job.detail, **(detail or {})}, "updated_at": self._clock()}
            return _change(connection, job_id, values)

    def get(self, job_id: int) -> RetuneJob:
        """One job.

        Raises:
            JobError: There is none with that number.
        """
        with self._database.read() as connection:
            return _get(connection, job_id)

    def list(self, model: str | None = None, limit: int = 100) -> list[RetuneJob]:
        """Jobs of a model, or of all, the newest first."""
        query = select(retune_jobs).order_by(retune_jobs.c.id.desc()).limit(limit)
        if model is not None:
            query = query.where(retune_jobs.c.model == model)
        with self._database.read() as connection:
            return [RetuneJob(*row) for row in connection.execute(query)]

    def set_rows(self, job_id: int, set_name: job_rows.SetName, row_ids: Sequence[str]) -> None:
        """Stores which rows a job uses for what, in one transaction; the same again changes nothing.

        Raises:
            InputError: A row id is malformed or there twice, or the set is unknown.
            JobError: The set was stored with other rows, a row is in another set of the job, or a gate row was used
                for a gate or for training before. Nothing is stored.
        """
        with self._database.write("job_rows") as connection:
            job_rows.store(connection, job_id, _get(connection, job_id).model, set_name, row_ids, self._clock())

    def rows(self, job_id: int, set_name: job_rows.SetName) -> Sequence[str]:
        """Row ids of a set, in the order given; empty where it was not stored."""
        with self._database.read() as connection:
            return job_rows.load(connection, job_id, set_name)

    def gate_rows_used(self, model: str) -> set[str]:
        """Row ids of all gates of a model, ever."""
        with self._database.read() as connection:
            return job_rows.gate_rows_used(connection, model)

    def gates_since_champion(self, model: str, since: float) -> int:
        """How many gates, this job's included once it is stored, drew their rows at or after `since`."""
        with self._database.read() as connection:
            return job_rows.gates_since(connection, model, since)


_NEW: dict[str, Any] = {
    "status": "pending",
    "phase": "",
    "detail": {},
    "attempt": 0,
    "lease_owner": "",
    "lease_expires_at": 0.0,
}
_ADD = insert(retune_jobs).returning(*retune_jobs.c)
_OPEN_REQUEST = update(retune_requests).where(retune_requests.c.status == "open")


def _claimable(now: float, not_to_start: Collection[str]) -> Select[Any]:
    column = retune_jobs.c
    pending = and_(column.status == "pending", or_(column.phase != "", column.model.not_in(not_to_start)))
    free = or_(pending, and_(column.status == "running", column.lease_expires_at < now))
    return select(retune_jobs).where(free).order_by(column.id)


def _get(connection: Connection, job_id: int) -> RetuneJob:
    row = connection.execute(select(retune_jobs).where(retune_jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise JobError(f"there is no re-tune job {job_id}", fix="List them with `evertune status`.")
    return RetuneJob(*row)


def _owned(connection: Connection, job_id: int, owner: str) -> RetuneJob:
    job = _get(connection, job_id)
    if job.status != "running" or job.lease_owner != owner:
        raise JobError(
            f"job {job_id} is {job.status} and held by {job.lease_owner or 'nobody'}, not by {owner}",
            fix="Stop working on it: the lease ran out and another worker took it, or it has ended.",
        )
    return job


def _change(connection: Connection, job_id: int, values: Mapping[str, Any]) -> RetuneJob:
    connection.execute(update(retune_jobs).where(retune_jobs.c.id == job_id).values(**values))
    return _get(connection, job_id)
