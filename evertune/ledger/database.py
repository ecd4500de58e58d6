"""Connections and transactions, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, StatementError

from evertune.errors import EvertuneError, InputError, LedgerError
from evertune.ledger.forking import forget_in_children

# How long a writer waits for the others. A label batch takes milliseconds; a minute-long wait means a stuck process.
_BUSY_SECONDS = 30
_LOOK_SECONDS = 0.001  # a label batch takes about as long

# Closing a parent's SQLite connection in a child would drop the parent's file locks: kept, unused, to the child's end.
_inherited: list[Any] = []


class Database:
    """One database, any number of threads and processes; safe to use after `fork` and in spawned processes.

    Args:
        url: SQLAlchemy URL, `sqlite:///path` or `postgresql+psycopg://...`.

    Raises:
        LedgerError: The URL is malformed, its driver is missing, or it names an in-memory database.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writers = {flag: self.engine.execution_options(write=True, durable=flag) for flag in (True, False)}
        self._writing = threading.RLock()
        forget_in_children(self)

    def forget(self) -> None:
        """In a forked child: drops connections that belong to the parent, without closing them."""
        _inherited.append(self.engine.pool)
        self._writing = threading.RLock()
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Closes all idle connections; the next use opens new ones."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot for reading; never blocks a writer and never waits for one."""
        with _explained(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, order: str, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that is committed at the end, or rolled back on any exception.

        Writers with the same `order` commit one after the other, so what they number grows in commit order. SQLite has
        one writer in all (BEGIN IMMEDIATE: no deadlock on a lock upgrade); threads of a process queue before they
        ask for it, since SQLite's own waiting is by polling.

        Args:
            order: Name of the queue; the table's name.
            durable: On disk before return. False: survives the death of the process, not the power cut.
        """
        if not self.is_sqlite:
            with _explained(), self._writers[durable].begin() as connection:
                connection.execute(select(func.pg_advisory_xact_lock(zlib.crc32(order.encode()))))
                if not durable:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
                yield connection
            return
        with self._writing, _explained(), self._writers[durable].begin() as connection:
            yield connection


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, EvertuneError):  # of `_to_json`
            raise error.orig from error
        if not isinstance(error, DBAPIError) or not _is_operational(error):
            raise
        raise LedgerError(
            f"the ledger does not answer: {error.orig}",
            fix="Check that its disk has space and its database is reachable and sound, then try again.",
        ) from error


def _is_operational(error: DBAPIError) -> bool:
    return type(error).__name__ in ("OperationalError", "DatabaseError") or error.connection_invalidated


def _engine(text: str) -> Engine:
    try:
        url = make_url(text)
        if url.get_backend_name() == "sqlite":
            if url.database in (None, "", ":memory:"):
                raise LedgerError("an in-memory ledger forgets", fix="Use sqlite:///path/to/ledger.db.")
            Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
            arguments: dict[str, Any] = {"connect_args": {"timeout": _BUSY_SECONDS}}
        else:
            arguments = {"pool_pre_ping": True}  # a restarted server must not cost a request
        engine = create_engine(url, json_serializer=_to_json, pool_size=4, max_overflow=60, **arguments)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise LedgerError(
            f"no ledger at {_without_password(text)!r}: {error}",
            fix="Set [store] ledger_url to sqlite:///path, or to postgresql+psycopg://... (needs evertune[postgres]).",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _without_password(text: str) -> str:
    """Errors are logged and shown; what stands between the first ":" after the scheme and the last "@" is neither."""
    scheme, separator, rest = text.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{separator}{user.partition(':')[0]}{':***' if ':' in user else ''}{at}{place}"


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself; `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute("PRAGMA cache_size=-16000")  # KiB: the indexes' upper levels stay in memory
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.execute("PRAGMA journal_size_limit=67108864")  # bytes: a WAL grown by a long reader shrinks again
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("write"):
        connection.exec_driver_sql("BEGIN")
        return
    # Outside a transaction, or it has no effect. In WAL mode FULL syncs at each commit, NORMAL at checkpoints only.
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options['durable'] else 'NORMAL'}")
    _begin_immediate(connection.connection.cursor())


def _begin_immediate(cursor: Any) -> None:
    """Waits for other processes' writers by looking every millisecond.

    SQLite's own waiting sleeps up to 100 ms between two looks, and the longest for whoever has waited longest: beside
    a busy writer, others starve.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(_LOOK_SECONDS)
    finally:
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
        cursor.close()


def _to_json(value: Any) -> str:
    """Strict JSON, as PostgreSQL demands: NaN and infinity are refused here, not only there."""
    try:
        return json.dumps(value, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise InputError(f"the ledger cannot keep this: {error}", fix="Use finite, plain values.") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
