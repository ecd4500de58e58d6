"""KerasTuner's `Tuner`: the oracle stays with the driver, trials run in worker processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from evertune.clock import Clock, system_clock
from evertune.errors import SearchError
from evertune.task import Splits, Task
from tune.channel import Message
from tune.events import (
    Event,
    Progress,
    TrialEpoch,
    TrialFailed,
    TrialFinished,
    TrialPruned,
    TrialRejected,
    TrialStarted,
    WorkerLost,
)
from tune.execution import execute
from tune.hypermodel import TaskHyperModel
from tune.outcome import RUNG_METRIC
from tune.plan import Plan
from tune.pool import Worker, WorkerPool
from tune.record import TrialRecord
from tune.retention import tidy

_POLL_SECONDS = 0.5  # how late a timeout may be noticed
_START_SECONDS = 300.0  # for a worker to import its framework, on a machine that does other things, too
_MOST_FAILED_STARTS = 3

_ENDED: dict[str, Callable[..., Event]] = {
    "completed": TrialFinished,
    "pruned": TrialPruned,
    "rejected": TrialRejected,
    "failed": TrialFailed,
}


class StudyTuner(keras_tuner.Tuner):  # type: ignore[misc]  # KerasTuner has no types
    """Runs the trials of a `StudyOracle`.

    In the driver, `search` hands trials to workers, one thread and one oracle deciding everything. In a worker the
    same class, with a stand-in for the oracle, executes them: `run_trial`.

    Args:
        oracle: `StudyOracle` in the driver.
        task: What is searched for.
        splits: Its data.
        plan: The search.
        trial_timeout_seconds: After which a worker is killed and its trial fails.
        progress: Told what happens.
        clock: Of events.
        deadline: Of the clock; then no trial starts, and those in training end at their next epoch, to go on when
            the search is called again.
        discover: Find the whole search space by building models, conditions included.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        task: Task,
        splits: Splits,
        plan: Plan,
        *,
        trial_timeout_seconds: float = 1800.0,
        progress: Progress | None = None,
        clock: Clock = system_clock,
        deadline: float = math.inf,
        discover: bool = True,
    ) -> None:
        self._discover = discover
        self._splits = splits
        self._plan = plan
        self._timeout_seconds = trial_timeout_seconds
        self._tell = progress or (lambda event: None)
        self._clock = clock
        self._deadline = deadline
        self._failed_starts = 0
        self._exhausted = False  # the oracle said so; an ended or lost trial may change that
        hypermodel = TaskHyperModel(task, splits, plan.max_epochs)
        super().__init__(oracle, hypermodel, directory=str(plan.folder.parent), project_name=plan.folder.name)

    # --- in the driver ----------------------------------------------------------------------------------------

    def search(self, pool: WorkerPool) -> bool:
        """Runs trials until the oracle has no more, which is True, or the time is over.

        Args:
            pool: Started; it is used up.

        Raises:
            SearchError: Workers cannot be started.
        """
        while True:
            for worker in pool.workers:
                if worker.ready and worker.trial_id is None and not self._exhausted and not self._late():
                    self._give_work(pool, worker)
            if self._exhausted and not self.oracle.ongoing_trials:
                return True
            if self._late() and all(worker.trial_id is None for worker in pool.workers):
                return False
            for worker, messages in pool.wait(_POLL_SECONDS):
                self._handle(pool, worker, messages)
            self._end_overdue(pool)

    def _give_work(self, pool: WorkerPool, worker: Worker) -> None:
        trial = self.oracle.create_trial(worker.name)
        if trial.status != TrialStatus.RUNNING:
            self._exhausted = True
            return
        trial_id, oracle = trial.trial_id, self.oracle
        self._tell(
            TrialStarted(
                self._clock(),
                trial_id,
                dict(trial.hyperparameters.values),
                oracle.origin(trial_id),
                oracle.attempts(trial_id),
            )
        )
        pool.hand_out(
            worker,
            trial_id,
            {
                "trial_id": trial_id,
                "hyperparameters": trial.hyperparameters.get_config(),
                "warm": trial_id == "0" and oracle.origin(trial_id) == "warm start",
            },
        )

    def _handle(self, pool: WorkerPool, worker: Worker, messages: list[Message] | None) -> None:
        if messages is None:
            self._lost(pool, worker)
            return
        for message in messages:
            match message["type"]:
                case "ready":
                    worker.ready, self._failed_starts = True, 0
                case "broken":
                    raise SearchError(
                        f"a worker cannot start: {message['error']}",
                        fix=f"Correct that; {worker.log} has the rest.",
                        trace=message["trace"],
                    )
                case "epoch":
                    self._epoch(pool, worker, message)
                case "ended":
                    self._ended(pool, worker, message)

    def _epoch(self, pool: WorkerPool, worker: Worker, message: Message) -> None:
        trial = self.oracle.update_trial(message["trial_id"], message["metrics"], message["step"])
        accuracy = float(message["metrics"][RUNG_METRIC])
        self._tell(TrialEpoch(self._clock(), trial.trial_id, message["step"], accuracy))
        if self._late() and message["step"] < self._plan.max_epochs and trial.status == TrialStatus.RUNNING:
            pool.kill(worker)  # its checkpoint stays; one that has all its epochs is still scored
            return
        pool.answer(worker, {"type": "stop" if trial.status == TrialStatus.STOPPED else "go"})

    def _late(self) -> bool:
        return self._clock() >= self._deadline

    def _ended(self, pool: WorkerPool, worker: Worker, message: Message) -> None:
        record = TrialRecord.from_json(message["record"])
        self._conclude(record, worker, keras_tuner.HyperParameters.from_config(message["hyperparameters"]))
        pool.finish_trial(worker)

    def _conclude(self, record: TrialRecord, worker: Worker, hyperparameters: Any = None) -> None:
        trial = self.oracle.trials[record.trial_id]
        if hyperparameters is not None:
            self.oracle.update_space(hyperparameters)
        self.oracle.end_trial(trial, record.ended(self.oracle.origin(record.trial_id), time.monotonic() - worker.since))
        self._exhausted = False
        kept = self.oracle.records[record.trial_id]
        tidy(self._plan, list(self.oracle.records.values()))
        self._tell(_ENDED[kept.state](self._clock(), kept.trial_id, kept))

    def _lost(self, pool: WorkerPool, worker: Worker) -> None:
        code = worker.process.returncode
        self._tell(WorkerLost(self._clock(), worker.trial_id, code))
        if worker.trial_id is not None:
            failed = self.oracle.lose_trial(worker.trial_id)
            if failed is not None:
                tidy(self._plan, list(self.oracle.records.values()))
                self._tell(TrialFailed(self._clock(), failed.trial_id, failed))
        elif not worker.ready:
            self._failed_start(worker)
        self._exhausted = False
        pool.start()

    def _failed_start(self, worker: Worker) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _MOST_FAILED_STARTS:
            code = worker.process.returncode
            raise SearchError(
                f"workers end with exit code {code} before they are ready", fix=f"Read {worker.log}.", code=code
            )

    def _end_overdue(self, pool: WorkerPool) -> None:
        for worker in list(pool.workers):
            limit = self._timeout_seconds if worker.ready else _START_SECONDS
            seconds = time.monotonic() - worker.since
            if (worker.ready and worker.trial_id is None) or seconds < limit:
                continue
            trial_id = worker.trial_id
            pool.kill(worker)
            if trial_id is None:
                self._failed_start(worker)
            else:
                values = dict(self.oracle.trials[trial_id].hyperparameters.values)
                message = f"timeout: the trial ran for {seconds:.0f} s, the limit is {limit:.0f} s"
                self._conclude(TrialRecord(trial_id, values, "failed", error=message), worker)
            pool.start()

    # --- in a worker --------------------------------------------------------------------------------------------

    def run_trial(self, trial: Trial, *, warm: bool = False) -> TrialRecord:
        """Executes a trial in this process, asking the oracle after every epoch.

        Raises:
            Exception: What the task's code or the export raises.
        """
        return execute(
            self.hypermodel,
            trial.hyperparameters,
            trial.trial_id,
            self._plan,
            self._splits,
            warm=warm,
            on_epoch=lambda model, epoch, accuracy: self.on_epoch_end(trial, model, epoch, {RUNG_METRIC: accuracy}),
        )

    def on_epoch_end(self, trial: Trial, model: Any, epoch: int, logs: dict[str, float] | None = None) -> bool:
        """Reports an epoch (counted from 1) to the oracle; returns whether to go on."""
        return bool(self.oracle.update_trial(trial.trial_id, logs or {}, step=epoch).status != TrialStatus.STOPPED)

    def load_model(self, trial: Trial) -> Any:
        """The trained model of a completed trial whose weights were kept."""
        from tune.winner import load_winner

        return load_winner(self.hypermodel, trial.hyperparameters.values, self._plan, trial.trial_id)

    def _populate_initial_space(self) -> None:
        if not self._discover:
            return
        super()._populate_initial_space()
        hp = self.oracle.get_space()
        self.hypermodel.dry_run(hp)
        self.oracle.update_space(hp)

    def _configure_tensorboard_dir(self, callbacks: list[Any], trial: Trial, execution: int = 0) -> None:
        """Nothing: KerasTuner's own imports TensorBoard, and fails every trial where that is missing."""
