"""`evertune monitor`: one process that evaluates labels and answers Prometheus."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType, TracebackType
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from evertune.bundle import BundleStore
from evertune.clock import Clock, system_clock
from evertune.errors import EvertuneError, LedgerError, SettingsError
from evertune.ledger import Ledger
from evertune.settings import MonitorSettings, Project
from monitoring.collector import LedgerCollector
from monitoring.evaluator import Evaluator

_log = logging.getLogger(__name__)


class Exporter:
    """Evaluates in a thread of its own, and serves `/metrics`. Use it as a context manager.

    Args:
        ledger: What is evaluated and exposed.
        store: Where references come from.
        settings: Address, interval, tolerance.
        clock: Seconds since the epoch.

    Attributes:
        errors: Evaluations that failed since the start.
    """

    def __init__(
        self, ledger: Ledger, store: BundleStore, settings: MonitorSettings, clock: Clock = system_clock
    ) -> None:
        self.errors = 0
        self._ledger = ledger
        self._settings = settings
        self._evaluator = Evaluator(ledger, store, settings, clock)
        self._registry = CollectorRegistry()
        self._collector = LedgerCollector(ledger, store, self, clock)
        self._registry.register(self._collector)
        self._stopping = threading.Event()
        self._evaluating = threading.Thread(target=self._evaluate, name="evaluator")
        self._server: WSGIServer | None = None
        self._serving: threading.Thread | None = None

    @property
    def evaluated_at(self) -> dict[str, float]:
        """When each model was evaluated last, seconds since the epoch."""
        return self._evaluator.evaluated_at

    @property
    def port(self) -> int:
        """The port that is listened on; the settings may leave the choice to the system (0)."""
        if self._server is None:
            raise RuntimeError("the exporter is not running")
        return int(self._server.server_address[1])

    def evaluate(self) -> None:
        """One evaluation of every model. What fails is logged and counted; the other models go on."""
        try:
            models = self._ledger.registry.models()
        except LedgerError as error:
            self._fail("the ledger", error)
            return
        for model in models:
            try:
                self._evaluator.step_model(model)
            except Exception as error:  # whatever it is: the exporter must live to tell
                self._fail(model, error)
        try:
            self._collector.refresh()
        except Exception as error:  # inputs of a model may be anything
            self._fail("windows and features", error)

    def _fail(self, what: str, error: Exception) -> None:
        self.errors += 1
        _log.error("evaluation of %s failed: %s", what, error, exc_info=not isinstance(error, EvertuneError))

    def _evaluate(self) -> None:
        while not self._stopping.is_set():
            self.evaluate()
            self._stopping.wait(self._settings.interval_seconds)

    def __enter__(self) -> Exporter:
        try:
            self._server, self._serving = start_http_server(
                self._settings.port, self._settings.host, registry=self._registry
            )
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {self._settings.host}:{self._settings.port}: {error}",
                fix="Set another monitor.host or monitor.port, or stop what listens there.",
                key="monitor.port",
            ) from error
        self._evaluating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._server is not None and self._serving is not None:
            self._server.shutdown()
            self._server.server_close()
            self._serving.join()
        self._evaluating.join()


def run(project: Project) -> None:
    """Runs until SIGTERM or SIGINT.

    Raises:
        SettingsError: The address is taken or not ours.
        LedgerError: The ledger does not open.
    """
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    store = BundleStore.of(project)
    with Ledger.open(project.ledger_url) as ledger, Exporter(ledger, store, project.settings.monitor) as exporter:
        _log.info("http://%s:%s/metrics", project.settings.monitor.host, exporter.port)
        stop.wait()
