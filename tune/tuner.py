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
from tune.costs import costs_of, with_costs
from tune.events import (
    Event,
    Progress,
    TrialEpoch,
    TrialFailed,
    TrialFinished,
    TrialPaused,
    TrialPruned,
    TrialRejected,
    TrialStarted,
    WorkerLost,
)
from tune.execution import execute
from tune.hypermodel import TaskHyperModel
from tune.outcome import RUNG_METRIC
from tune.plan import Plan
from tune.pool import Pool, Worker
from tune.proposal import FINE_TUNE
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
        self._paused: set[str] = set()
        self._epochs: dict[str, int] = {}  # told of each trial
        self._exhausted = False  # the oracle said so; an ended or lost trial may change that
        hypermodel = TaskHyperModel(task, splits, plan.max_epochs)
        super().__init__(oracle, hypermodel, directory=str(plan.folder.parent), project_name=plan.folder.name)

    # --- in the driver ----------------------------------------------------------------------------------------

    def search(self, pool: Pool) -> bool:
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
                self._tell_pruned()
                return True
            if self._late() and all(worker.trial_id is None for worker in pool.workers):
                return False
            for worker, messages in pool.wait(_POLL_SECONDS):
                self._handle(pool, worker, messages)
            self._end_overdue(pool)

    def _tell_pruned(self) -> None:
        """Trials that were still paused when the search ended."""
        self._tidy()
        for trial_id, record in self.oracle.records.items():
            if trial_id in self._paused:
                self._tell(TrialPruned(self._clock(), trial_id, record))

    def _give_work(self, pool: Pool, worker: Worker) -> None:
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
                "warm": oracle.origin(trial_id) == FINE_TUNE,
                "epochs": oracle.epochs(trial_id),
            },
        )

    def _handle(self, pool: Pool, worker: Worker, messages: list[Message] | None) -> None:
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

    def _epoch(self, pool: Pool, worker: Worker, message: Message) -> None:
        trial = self.oracle.update_trial(message["trial_id"], message["metrics"], message["step"])
        if message["step"] > self._epochs.get(trial.trial_id, 0):  # else from a checkpoint, or trained again
            self._epochs[trial.trial_id] = message["step"]
            accuracy = float(message["metrics"][RUNG_METRIC])
            self._tell(TrialEpoch(self._clock(), trial.trial_id, message["step"], accuracy))
        if self._late() and message["step"] < self._plan.max_epochs and trial.status == TrialStatus.RUNNING:
            pool.kill(worker)  # its checkpoint stays; one that has all its epochs is still scored
            return
        pool.answer(worker, {"type": "stop" if trial.status == TrialStatus.STOPPED else "go"})

    def _late(self) -> bool:
        return self._clock() >= self._deadline

    def _ended(self, pool: Pool, worker: Worker, message: Message) -> None:
        record = TrialRecord.from_json(message["record"])
        self._conclude(record, worker, keras_tuner.HyperParameters.from_config(message["hyperparameters"]))
        pool.finish_trial(worker)

    def _conclude(self, record: TrialRecord, worker: Worker, hyperparameters: Any = None) -> None:
        trial = self.oracle.trials[record.trial_id]
        if hyperparameters is not None:
            self.oracle.update_space(hyperparameters)
        ended = record.ended(self.oracle.origin(record.trial_id), time.monotonic() - worker.since)
        self.oracle.end_trial(trial, with_costs(ended))
        self._exhausted = False
        self._tidy()
        kept = self.oracle.records.get(record.trial_id)
        if kept is None:
            self._paused.add(record.trial_id)
            self._tell(TrialPaused(self._clock(), record.trial_id, record))
        else:
            self._paused.discard(record.trial_id)
            self._tell(_ENDED[kept.state](self._clock(), kept.trial_id, kept))

    def _tidy(self) -> None:
        tidy(self._plan, list(self.oracle.records.values()), self.oracle.paused())

    def _lost(self, pool: Pool, worker: Worker) -> None:
        self._tell(WorkerLost(self._clock(), worker.trial_id, worker.exit_code))
        if worker.trial_id is not None:
            failed = self.oracle.lose_trial(worker.trial_id, counted=not worker.blameless)
            if failed is not None:
                self._tidy()
                self._tell(TrialFailed(self._clock(), failed.trial_id, failed))
        elif not worker.ready and not worker.blameless:
            self._failed_start(pool, worker)
        self._exhausted = False
        pool.start()

    def _failed_start(self, pool: Pool, worker: Worker) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _MOST_FAILED_STARTS and not any(each.ready for each in pool.workers):
            ended = "end" if worker.exit_code is None else f"end with exit code {worker.exit_code}"
            raise SearchError(
                f"workers {ended} before they are ready", fix=f"Read {worker.log}.", code=worker.exit_code
            )

    def _end_overdue(self, pool: Pool) -> None:
        for worker in list(pool.workers):
            limit = self._timeout_seconds if worker.ready else _START_SECONDS
            seconds = time.monotonic() - worker.since
            if not worker.placed or (worker.ready and worker.trial_id is None) or seconds < limit:
                continue
            trial_id = worker.trial_id
            pool.kill(worker)
            if trial_id is None:
                self._failed_start(pool, worker)
            else:
                values = dict(self.oracle.trials[trial_id].hyperparameters.values)
                message = f"timeout: the trial ran for {seconds:.0f} s, the limit is {limit:.0f} s"
                self._conclude(TrialRecord(trial_id, values, "failed", error=message), worker)
            pool.start()

    # --- in a worker --------------------------------------------------------------------------------------------

    def run_trial(self, trial: Trial, *, warm: bool = False, epochs: int | None = None) -> TrialRecord:
        """Executes a trial in this process, asking the oracle after every epoch.

        Args:
            trial: With its values.
            warm: Start from the incumbent's weights, if they fit.
            epochs: At most; None for those of the plan.

        Raises:
            Exception: What the task's code or the export raises.
        """
        known: dict[str, Any] = {}
        return execute(
            self.hypermodel,
            trial.hyperparameters,
            trial.trial_id,
            self._plan,
            self._splits,
            warm=warm,
            epochs=epochs,
            on_measured=known.update,
            on_epoch=lambda model, epoch, accuracy: self.on_epoch_end(
                trial, model, epoch, {RUNG_METRIC: accuracy, **costs_of(known)}
            ),
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
