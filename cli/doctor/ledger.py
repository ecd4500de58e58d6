"""The ledger's database, and whether its times fit this machine's clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import func, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError

from cli.doctor.finding import Finding
from evertune.clock import Clock, system_clock
from evertune.errors import LedgerError
from evertune.ledger.database import Database
from evertune.ledger.migrate import stored_revision
from evertune.ledger.schema import HEAD, deployments, labels, predictions
from evertune.settings import Project

_SKEW_SECONDS = 60.0  # what machines without NTP drift in a month; more is a wrong clock
_CHECKED_BYTES = 200_000_000  # an SQLite file up to which all pages are read


def examine_ledger(project: Project, clock: Clock = system_clock) -> Iterator[Finding]:
    """Reachable, sound, of this version, and no row from the future. Nothing is created or upgraded."""
    path = sqlite_path(project.ledger_url)
    if path is not None and not path.exists():
        yield Finding("ledger", "ok", f"none yet; {path} is made when first needed")
        return
    try:
        database = Database(project.ledger_url)
        try:
            yield from _examine(database, path, clock)
        finally:
            database.close()
    except (LedgerError, SQLAlchemyError) as error:
        told = error.message if isinstance(error, LedgerError) else f"the ledger cannot be read: {error}"
        mend = error.fix if isinstance(error, LedgerError) else "Restore it from a backup."
        yield Finding("ledger", "problem", told, mend)


def _examine(database: Database, path: Path | None, clock: Clock) -> Iterator[Finding]:
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    revision = stored_revision(database)
    if revision != HEAD:
        yield _other_schema(kind, revision)
        return
    damage = _damage(database, path)
    if damage is not None:
        mend = f'sqlite3 {path} ".recover" | sqlite3 recovered.db, or restore a backup.'
        yield Finding("ledger", "problem", f"{path} is damaged: {damage}", mend)
        return
    with database.read() as connection:
        rows = connection.scalar(select(func.count()).select_from(predictions))
        known = connection.scalar(select(func.count()).select_from(labels))
    yield Finding("ledger", "ok", f"{kind}, schema {HEAD}, {rows} requests, {known} labels")
    yield _examine_clock(database, clock)


def _other_schema(kind: str, revision: str | None) -> Finding:
    if revision is None:
        return Finding("ledger", "warning", f"{kind} without tables", "evertune status  (makes them)")
    if revision < HEAD:
        return Finding("ledger", "warning", f"{kind}, schema {revision} of {HEAD}", "evertune status  (upgrades it)")
    return Finding("ledger", "problem", f"{kind}, schema {revision}; this Evertune knows {HEAD}", "Upgrade Evertune.")


def _damage(database: Database, path: Path | None) -> str | None:
    if path is None or path.stat().st_size > _CHECKED_BYTES:
        return None
    with database.read() as connection:
        told = str(connection.scalar(text("PRAGMA quick_check(1)")))
    return None if told == "ok" else told


def _examine_clock(database: Database, clock: Clock) -> Finding:
    columns = (predictions.c.predicted_at, labels.c.arrived_at, deployments.c.decided_at)
    with database.read() as connection:
        times = [connection.scalar(select(func.max(column))) for column in columns]
    ahead = max((time for time in times if time is not None), default=0.0) - clock()
    if ahead <= _SKEW_SECONDS:
        return Finding("clock", "ok", "no row of the ledger is later than now")
    told = f"the ledger has a row from {ahead:.0f} s in the future: a clock here, or of a server, is wrong"
    return Finding("clock", "problem", told, "sudo timedatectl set-ntp true  (on every machine)")


def sqlite_path(url: str) -> Path | None:
    """The file behind an SQLite URL; None for another database, or for what is no URL."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        return None
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" and parsed.database else None
