"""The one place where everything that must outlive a process is written down."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from sqlalchemy import Connection, Engine

from evertune.clock import Clock, system_clock
from evertune.ledger.database import Database
from evertune.ledger.detectors import Detectors
from evertune.ledger.horizons import Horizons
from evertune.ledger.jobs import RetuneJobs
from evertune.ledger.labels import Labels
from evertune.ledger.losses import Losses
from evertune.ledger.migrate import migrate
from evertune.ledger.pauses import Pauses
from evertune.ledger.predictions import Predictions
from evertune.ledger.registry import Registry
from evertune.ledger.requests import RetuneRequests


class Ledger:
    """Predictions, labels, horizons, losses, detector states, re-tune requests and jobs, deployments, pauses.

    Use one a process, from any thread; a forked child gets connections of its own. Several processes may use the same
    database at once.

    Attributes:
        clock: Gives every time that the ledger writes.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self.clock = clock
        self.predictions = Predictions(database)
        self.labels = Labels(database, clock)
        self.horizons = Horizons(database, clock)
        self.losses = Losses(database)
        self.detectors = Detectors(database, self.losses)
        self.requests = RetuneRequests(database, clock)
        self.jobs = RetuneJobs(database, clock)
        self.registry = Registry(database, clock)
        self.pauses = Pauses(database, clock)

    @classmethod
    def open(cls, url: str, *, clock: Clock = system_clock) -> Ledger:
        """Opens a ledger, creating or upgrading it first where needed, however many processes do so at once.

        Args:
            url: SQLAlchemy URL: `sqlite:///path/ledger.db` or `postgresql+psycopg://...`.
            clock: Seconds since the epoch.

        Raises:
            LedgerError: The database cannot be reached, is damaged, or was written by a newer Evertune.
        """
        database = Database(url)
        try:
            migrate(database)
        except BaseException:
            database.close()
            raise
        return cls(database, clock)

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine."""
        return self._database.engine

    def read(self) -> AbstractContextManager[Connection]:
        """A consistent snapshot, for reading what no method gives.

        Raises:
            LedgerError: When entered, or inside: the database does not answer.
        """
        return self._database.read()

    def close(self) -> None:
        """Closes the connections."""
        self._database.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
