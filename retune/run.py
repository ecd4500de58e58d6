"""`evertune retune`: webhook, decisions and worker in one process."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import uvicorn

from evertune.bundle import BundleStore
from evertune.errors import LedgerError, SettingsError
from evertune.keys import Keyring
from evertune.ledger import Ledger, RetuneRequest
from evertune.settings import Project, RetuneSettings
from retune.decision import Decider
from retune.doors import doors
from retune.schedules import Schedules
from retune.worker import Worker

_END_SECONDS = 5  # for open webhooks to be answered
_log = logging.getLogger("evertune.retune")


def run(project: Project, once: bool = False) -> None:
    """Serves the webhook, decides requests and works off jobs, until SIGTERM or SIGINT.

    Args:
        project: Settings and stores.
        once: Instead decides what is open, carries the jobs that there are to their end, and returns.

    Raises:
        SettingsError: The webhook's address is taken.
        LedgerError: The ledger cannot be opened.
    """
    stop = threading.Event()
    with Ledger.open(project.ledger_url) as ledger, _stopped_by_signals(stop):
        worker = Worker(project, ledger, BundleStore.of(project), stop=stop)
        decider = Decider(ledger, project.settings.retune, evaluator_asks=project.settings.monitor.request_retune)
        if once:
            decider.step()
            while not stop.is_set() and worker.run_once() is not None:
                pass
            return
        schedules = Schedules(ledger, project.settings.retune)
        steps = (schedules.step, decider.step)
        with _doors(project, ledger), repeated(steps, project.settings.retune, stop):
            worker.run()


@contextlib.contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def _doors(project: Project, ledger: Ledger) -> Iterator[None]:
    settings = project.settings.retune
    if not settings.webhook_token:
        _log.warning("retune.webhook_token is empty: every webhook is refused")
    listener = _listen(settings)
    app = doors(ledger, Keyring(project.keys_path), settings.webhook_token)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, ws="none", lifespan="off", timeout_graceful_shutdown=_END_SECONDS
    )
    server = uvicorn.Server(config)
    with _thread("webhook", lambda: server.run(sockets=[listener]), lambda: setattr(server, "should_exit", True)):
        yield
    listener.close()


def _listen(settings: RetuneSettings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port))
    except OSError as error:
        raise SettingsError(
            f"the webhook cannot listen on {settings.host}:{settings.port}: {error.strerror}",
            fix="Set retune.host and retune.port to a free address.",
            key="retune.port",
        ) from error


@contextlib.contextmanager
def repeated(
    steps: Sequence[Callable[[], list[RetuneRequest]]], settings: RetuneSettings, stop: threading.Event
) -> Iterator[None]:
    """Asks and decides in a thread of its own, again and again, whatever goes wrong."""

    def loop() -> None:
        while not stop.is_set():
            for step in steps:
                _take(step)
            stop.wait(settings.poll_seconds)

    with _thread("decisions", loop, stop.set):
        yield


def _take(step: Callable[[], list[RetuneRequest]]) -> None:
    try:
        for request in step():
            _log.info("request %d (%s): %s, %s", request.id, request.trigger, request.status, request.reason)
    except LedgerError as error:
        _log.error("the ledger is away: %s", error)
    except Exception:  # whatever it is: without this loop no request is ever decided again
        _log.exception("a decision failed")


@contextlib.contextmanager
def _thread(name: str, work: Callable[[], object], end: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end()
        thread.join(_END_SECONDS + 1)
