"""Works off re-tune jobs, so that a kill at any moment costs time and nothing else."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from evertune.bundle import BundleStore
from evertune.errors import EvertuneError, LedgerError
from evertune.ledger import Ledger, RetuneJob
from evertune.settings import Project
from retune.brakes import Brakes
from retune.building import BuilderKilledError, build_in_child
from retune.challenger import Build
from retune.context import Context
from retune.foreign import foreign_jobs, waiting_line
from retune.holding import Holding, LeaseLostError, StoppedError
from retune.own_task import own_model
from retune.phases import FIRST, PHASES
from retune.step import Await, End, Step

# Claims of one phase before a job is given up: one that kills its worker each time must not do so for ever.
_MOST_CLAIMS = 20
_log = logging.getLogger("evertune.retune")


class Worker:
    """Claims jobs of its project's model and carries them through their phases.

    Jobs of other models in the same ledger are left to workers of the projects whose tasks make them. Run one worker
    a project; more of them stand by.

    Args:
        project: Settings and folders.
        ledger: Where jobs are.
        store: Where bundles are.
        build: Makes a challenger; by default a search in a process of its own.
        stop: Set it to end the worker soon; the job at hand goes on with the next worker.

    Raises:
        TaskError: The project's task does not say which model it makes.
    """

    def __init__(
        self,
        project: Project,
        ledger: Ledger,
        store: BundleStore,
        *,
        build: Build = build_in_child,
        stop: threading.Event | None = None,
    ) -> None:
        self._project, self._ledger, self._store, self._build = project, ledger, store, build
        self._stop = threading.Event() if stop is None else stop
        self._model = own_model(project)
        self._told: Mapping[str, int] = {}
        self._owner = f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"

    def run(self) -> None:
        """Works until stopped."""
        poll_seconds = self._project.settings.retune.poll_seconds
        while not self._stop.is_set():
            try:
                if self.run_once() is None:
                    self._stop.wait(poll_seconds)
            except LedgerError:
                _log.exception("the ledger is away")
                self._stop.wait(poll_seconds)

    def run_once(self) -> RetuneJob | None:
        """Carries one job to its end, waiting included.

        Returns:
            The job as it was left, not ended where the worker was stopped; None where no job was to be had.

        Raises:
            LedgerError: The ledger is away; the job goes on when its lease has run out.
        """
        settings = self._project.settings.retune
        held = Brakes(self._ledger, settings).not_to_start()
        self._tell_of_others(held)
        job = self._ledger.jobs.claim(self._owner, settings.lease_seconds, models=(self._model,), not_to_start=held)
        if job is None:
            return None
        with Holding(self._ledger, job, self._stop, settings.lease_seconds) as holding:
            try:
                self._carry(Context(self._project, self._store, holding, self._build))
            except StoppedError:
                _log.info("job %d waits for the next worker", job.id)
            except LeaseLostError:
                _log.warning("the lease of job %d is lost; another worker goes on with it", job.id)
            except BuilderKilledError as error:
                _log.warning("job %d: %s; it is tried again", job.id, error)
            return holding.job

    def _tell_of_others(self, held: Collection[str]) -> None:
        """Once for each change: such a job may wait for days."""
        waiting = foreign_jobs(self._ledger, self._model, held)
        for model, count in waiting.items():
            if self._told.get(model) != count:
                _log.info("%s", waiting_line(model, count))
        self._told = waiting

    def _carry(self, context: Context) -> None:
        self._enter(context)
        while context.job.status == "running":
            context.holding.check()
            self._take(context, self._step(context))

    def _enter(self, context: Context) -> None:
        """Notes the claim, and at first what the job answers to."""
        now, job, detail = self._ledger.clock(), context.job, context.detail
        claims = {**detail.get("claims", {})}
        phase = job.phase or FIRST
        claims[phase] = claims.get(phase, 0) + 1
        start = {} if job.phase else {**self._origin(job), "seconds": {}, "phase_entered_at": now}
        context.holding.update(phase=phase, detail={**start, "claims": claims})

    def _origin(self, job: RetuneJob) -> dict[str, object]:
        if job.request_id is None:
            return {"trigger": None, "requested_at": None}
        request = self._ledger.requests.get(job.request_id)
        return {"trigger": request.trigger, "requested_at": request.requested_at}

    def _step(self, context: Context) -> Step:
        phase = context.job.phase
        if phase not in PHASES:
            return End("failed", f"unknown phase {phase!r}: a newer Evertune made this job")
        if context.detail["claims"].get(phase, 0) > _MOST_CLAIMS:
            return _failure(phase, f"given up: {_MOST_CLAIMS} workers died or stopped in the phase {phase!r}", {})
        try:
            return PHASES[phase](context)
        except (LedgerError, StoppedError, LeaseLostError, BuilderKilledError):
            raise  # the job is sound; it goes on later
        except EvertuneError as error:
            _log.exception("job %d failed in %s", context.job.id, phase)
            return _failure(phase, str(error), error.to_json())
        except Exception as error:
            _log.exception("job %d failed in %s", context.job.id, phase)
            return _failure(phase, f"{type(error).__name__}: {error}", {"code": "internal"})

    def _take(self, context: Context, step: Step) -> None:
        now, detail = self._ledger.clock(), context.detail
        phase = context.job.phase
        if isinstance(step, Await):  # the claim came to something, so it does not count as one that did not
            claims = {**detail["claims"], phase: 0}
            context.holding.park({**step.detail, "awaiting": step.what, "awaiting_since": now, "claims": claims})
            _log.info("job %d awaits %s", context.job.id, step.what)
            return
        seconds = {**detail["seconds"], phase: round(now - float(detail["phase_entered_at"]), 3)}
        if isinstance(step, End):
            context.holding.finish(step.outcome, {**step.detail, "seconds": seconds, "reason": step.reason})
            _log.info("job %d: %s (%s)", context.job.id, step.outcome, step.reason)
            return
        context.holding.update(phase=step.phase, detail={**step.detail, "seconds": seconds, "phase_entered_at": now})
        _log.info("job %d: %s", context.job.id, step.phase)


def _failure(phase: str, reason: str, error: dict[str, Any]) -> End:
    """A report that fails takes nothing back: the gate was passed."""
    if phase == "report":
        return End("promoted", f"promoted; its report failed: {reason}", {"report": None, "error": error})
    return End("failed", reason, {"error": error})
