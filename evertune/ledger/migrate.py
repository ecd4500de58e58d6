"""Bringing a database to the schema of this version, however many processes start at once."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from evertune.errors import LedgerError
from evertune.ledger.database import Database
from evertune.ledger.schema import HEAD

SCRIPTS = Path(__file__).parent / "migrations"
_WAL_TRIES = 600  # of 50 ms: as long as other writers are waited for


def migrate(database: Database) -> None:
    """Creates or upgrades the tables in one transaction; does nothing, cheaply, where they are current.

    Raises:
        LedgerError: The database was written by a newer Evertune, or is no database.
    """
    if database.is_sqlite:
        _use_wal(database)
    with database.read() as connection:
        if _revision(connection, database.is_sqlite) == HEAD:
            return
    with database.write("migrations") as connection:
        revision = _revision(connection, database.is_sqlite)  # again: another process may have been first
        if revision == HEAD:
            return
        if revision is not None and not list(SCRIPTS.glob(f"versions/{revision}_*.py")):
            raise LedgerError(f"the ledger has schema {revision}, this Evertune knows {HEAD}", fix="Upgrade Evertune.")
        _upgrade(connection)


def stored_revision(database: Database) -> str | None:
    """The schema that a database has; None where it has no tables of ours. Changes nothing.

    Raises:
        LedgerError: It cannot be reached, or is no database.
    """
    with database.read() as connection:
        return _revision(connection, database.is_sqlite)


def _use_wal(database: Database) -> None:
    """Readers then never wait. The mode is kept in the file; SQLite does not wait for others when it switches."""
    for attempt in range(_WAL_TRIES):
        try:
            connection = database.engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA journal_mode=WAL").close()
                return
            finally:
                connection.close()
        except (sqlite3.Error, DBAPIError) as error:
            if "locked" not in str(error) or attempt == _WAL_TRIES - 1:
                fix = "Check that the file is an SQLite database and its folder is writable."
                raise LedgerError(f"the ledger cannot be opened: {error}", fix=fix) from error
            time.sleep(0.05)


def _revision(connection: Connection, is_sqlite: bool) -> str | None:
    table = "sqlite_master WHERE name" if is_sqlite else "pg_tables WHERE schemaname = current_schema() AND tablename"
    if connection.scalar(text(f"SELECT count(*) FROM {table} = 'alembic_version'")) == 0:
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _upgrade(connection: Connection) -> None:
    from alembic import command  # 0.2 s that an up-to-date ledger does not pay
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
