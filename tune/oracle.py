"""KerasTuner's `Oracle` with Optuna's samplers inside, rungs for pruning, and a journal for memory."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters as hp_types
from keras_tuner.engine.trial import Trial, TrialStatus

from tune.forest import Known
from tune.journal import Journal
from tune.outcome import RUNG, RUNG_METRIC, STATUS, checked, derive, record_of, set_metric
from tune.pareto import non_dominated
from tune.proposal import FINE_TUNE, Proposal
from tune.proposals import Proposals
from tune.race import Race
from tune.record import TrialRecord
from tune.rungs import Rungs

_MOST_LOSSES = 3  # of a trial whose worker dies each time: then the trial is what kills it
_REJECTED_FACTOR = 2  # rejected trials cost little and do not count, up to so many times `max_trials`


class StudyOracle(keras_tuner.Oracle):  # type: ignore[misc]  # KerasTuner has no types
    """Asks Optuna for hyperparameters, prunes at rungs, remembers in an append-only journal.

    It can stand behind any `keras_tuner.Tuner`. It is safe to call from several threads: one lock, released whatever
    happens. The journal is the only state on disk; what the sampler knows is rebuilt from it.

    Args:
        objective: As KerasTuner's; None is what a trial's `fit` returns, the smaller the better. Of a list, the first
            ranks trials (`get_best_trials`); they are never added up, and `get_pareto_trials` returns the trials that
            no other beats in all of them.
        max_trials: Trials that are not rejected, at most.
        hyperparameters: Known before the first trial, or None.
        seed: Zero is a seed like any other.
        rungs: When to pause a trial that reports `val_accuracy` with `update_trial`, which then is no objective; None
            never does. A paused trial may come again from `create_trial`; when the search ends, it is "pruned".
        max_total_epochs: Of all trials together; then the best paused ones are taken as they are. None: no limit.
        enqueue: Values to try first, in this order, or proposals with their origin; what the space does not hold falls
            back to defaults.
        enqueue_defaults: Try the defaults after `enqueue`.
        former: Trials of an earlier search on other data, and their ranks: 0 is the best, 1 the worst.
        journal: None opens `journal.jsonl` in the tuner's project folder.
        **kwargs: Of `keras_tuner.Oracle`: `allow_new_entries`, `tune_new_entries`.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int = 20,
        hyperparameters: Any = None,
        *,
        seed: int = 0,
        rungs: Rungs | None = None,
        max_total_epochs: int | None = None,
        enqueue: Sequence[Mapping[str, Any] | Proposal] = (),
        enqueue_defaults: bool = True,
        former: Sequence[Known] = (),
        journal: Journal | None = None,
        **kwargs: Any,
    ) -> None:
        listed = list(objective) if isinstance(objective, list | tuple) else [objective]
        super().__init__(listed[0], max_trials, hyperparameters, **kwargs)
        self.objectives = [self.objective, *(keras_tuner.Oracle(each).objective for each in listed[1:])]
        self.seed = self._seed_state = seed  # the base class takes 0 for "none given"
        self.records: dict[str, TrialRecord] = {}
        self._lock = threading.RLock()
        self._race = Race(rungs, max_total_epochs)
        self._journal = journal
        self._replayed = False
        self._origins: dict[str, str] = {}
        self._losses: dict[str, int] = {}
        self._waiting: list[str] = []  # started, but their worker or driver is gone
        self._enqueue, self._enqueue_defaults, self._former = tuple(enqueue), enqueue_defaults, tuple(former)
        self._proposals = self._propose(seed)

    # --- KerasTuner's face ---------------------------------------------------------------------------------------

    def create_trial(self, tuner_id: str) -> Trial:
        """The next trial for a tuner; status STOPPED when there is none.

        Trials that lost their worker come first, then paused ones that go on, under their old id and with their old
        values; then new ones; then the best of those that are still paused.
        """
        with self._lock:
            self.reload()
            if tuner_id in self.ongoing_trials:
                return self.ongoing_trials[tuner_id]
            trial = self._next()
            if trial.status == TrialStatus.RUNNING:
                self.ongoing_trials[tuner_id] = trial
            elif not self.ongoing_trials:
                self._prune_paused()
            return trial

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values for a new trial: the enqueued first, then the sampler's; never the same values twice."""
        with self._lock:
            self.reload()
            proposal = self._proposals.draw(trial_id, self.hyperparameters.space, self._ranks())
            if proposal is None:
                return {"status": TrialStatus.STOPPED, "values": None}
            self._origins[trial_id] = proposal.origin
            return {"status": TrialStatus.RUNNING, "values": dict(proposal.values)}

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Takes a rung metric (`val_accuracy` at epoch `step`), or the final metrics with the objective in them.

        Beside a rung metric, other objectives than the first may stand: what is known of them before the end, such as
        size and latency. Give them for all trials or for none; then trials are compared by Pareto fronts.

        Returns:
            The trial; its status is STOPPED where it should not go on.

        Raises:
            ValueError: Neither is in `metrics`.
        """
        with self._lock:
            trial = self.trials[trial_id]
            rung = RUNG if RUNG in metrics else RUNG_METRIC
            if rung == RUNG_METRIC and (self.objective.name in metrics or RUNG_METRIC not in metrics):
                self._check_objective_found(metrics)
                self._set_metrics(trial, metrics, step)
            else:
                self._report(trial, step, float(metrics[rung]), self._costs(metrics))
            return trial

    def end_trial(self, trial: Trial, record: TrialRecord | None = None) -> None:
        """Writes the outcome down, then lets the sampler learn from it. A second call for a trial does nothing.

        Args:
            trial: Status COMPLETED, STOPPED (pruned), INVALID (rejected, if a record says so) or FAILED.
            record: The whole outcome; None derives it from the trial.
        """
        with self._lock:
            self._let_go(trial.trial_id)
            if trial.trial_id in self.records:
                return
            known = self.trials[trial.trial_id]
            if trial is not known:
                known.hyperparameters, known.status, known.message = trial.hyperparameters, trial.status, trial.message
            self.update_space(known.hyperparameters)
            record = record or derive(known, self.objective.name, self._origins[known.trial_id])
            record = checked(self._race.timed(record), [each.name for each in self.objectives])
            if self._race.can_pause(record):
                self._write("paused", record=record.to_json())
                self._pause(record)
            else:
                self._write("ended", record=record.to_json())
                self._conclude(record)

    def lose_trial(self, trial_id: str, *, counted: bool = True) -> TrialRecord | None:
        """The worker of a trial died: the trial waits for another, or fails where that happens again and again.

        Args:
            trial_id: Of the trial.
            counted: False where the trial cannot be why: its node was taken away.

        Returns:
            The record of the failed trial, or None.
        """
        with self._lock:
            self._let_go(trial_id)
            self._write("lost", trial_id=trial_id, counted=counted)
            self._losses[trial_id] = self._losses.get(trial_id, 0) + counted
            if self._losses[trial_id] < _MOST_LOSSES:
                self._waiting.append(trial_id)
                return None
            message = f"its process died {_MOST_LOSSES} times while it ran this trial (out of memory?)"
            record = record_of(self.trials[trial_id], "failed", self._origins[trial_id], error=message)
            self.end_trial(self.trials[trial_id], record)
            return record

    def lose_interrupted(self) -> list[TrialRecord]:
        """Trials that ran when this process was killed, of a tuner that trains in its own process: each is lost.

        That counts only where no epoch was trained since the time before: a search that was stopped by hand now and
        then is not to blame, a trial that takes its process along is.

        Returns:
            Records of those that fail by that.
        """
        with self._lock:
            self.reload()
            assert self._journal is not None  # opened by `reload`
            interrupted, self._waiting = self._waiting, []
            lost = [self.lose_trial(each, counted=not _moved(each, self._journal.entries)) for each in interrupted]
            return [record for record in lost if record is not None]

    def epochs(self, trial_id: str) -> int | None:
        """How long a trial is trained at most, where that is not all epochs: it is taken as it is."""
        return self._race.until(trial_id)

    def paused(self) -> list[TrialRecord]:
        """Trials that wait for the others, the best first: what may come again."""
        with self._lock:
            return self._race.paused()

    def attempts(self, trial_id: str) -> int:
        """1, and one more for each worker that died with the trial, unless its node was taken away."""
        return self._losses.get(trial_id, 0) + 1

    def origin(self, trial_id: str) -> str:
        """Where the values of a trial come from: "fine-tune", "warm start", "default" or "sampler"."""
        return self._origins[trial_id]

    def update_space(self, hyperparameters: Any) -> None:
        """Adds hyperparameters that were not known, and journals them."""
        with self._lock:
            self.reload()
            known = len(self.hyperparameters.space)
            super().update_space(hyperparameters)
            if len(self.hyperparameters.space) > known:
                added = self.hyperparameters.get_config()["space"][known:]
                self._write("space", hyperparameters=added)

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """Completed trials only, the best first: never one that failed, was pruned or rejected.

        What counts is the record: KerasTuner's tuners set a trial's status before it has a score.
        """
        with self._lock:
            ended = [record.trial_id for record in self.records.values() if record.state == "completed"]
            completed = [self.trials[trial_id] for trial_id in ended]
            completed.sort(key=lambda trial: trial.score, reverse=self.objective.direction == "max")
            return completed[:num_trials]

    def get_pareto_trials(self) -> list[Trial]:
        """Completed trials that no other beats in all objectives."""
        with self._lock:
            completed = self.get_best_trials(len(self.trials))
            signs = [-1 if each.direction == "max" else 1 for each in self.objectives]
            reached = [self._objectives(self.records[trial.trial_id]) for trial in completed]
            costs = [[sign * value for sign, value in zip(signs, values, strict=True)] for values in reached]
            return [completed[index] for index in non_dominated(costs)]

    def remaining_trials(self) -> int:
        """How many trials may still start."""
        with self._lock:
            rejected = sum(record.state == "rejected" for record in self.records.values())
            free = min(rejected, _REJECTED_FACTOR * self.max_trials)
            return int(max(0, self.max_trials - (len(self.trials) - free)))

    def save(self) -> None:
        """Nothing to do: every entry of the journal was on disk when it was made."""

    def reload(self) -> None:
        """Replays the journal, once."""
        with self._lock:
            if self._replayed:
                return
            if self._journal is None:
                self._journal = Journal(Path(self._project_dir) / "journal.jsonl")
            self._replayed = True
            # A resumed search must not draw again what it drew at its beginning.
            started = sum(entry["event"] == "started" for entry in self._journal.entries)
            self._proposals = self._propose(self.seed + started)
            for entry in list(self._journal.entries):
                self._replay(entry)
            self._waiting = [
                each for each in self.trials if each not in self.records and not self._race.is_paused(each)
            ]

    # --- inside ---------------------------------------------------------------------------------------------------

    def _propose(self, seed: int) -> Proposals:
        return Proposals(
            self._enqueue,
            defaults=self._enqueue_defaults,
            directions=["maximize" if each.direction == "max" else "minimize" for each in self.objectives],
            max_trials=self.max_trials,
            seed=seed,
            former=self._former,
        )

    def _next(self) -> Trial:
        if self._waiting:
            return self._run_again(self._waiting.pop(0))
        if self._race.spent:
            return self._as_it_is() or self._stopped()
        return self._resume() or self._start() or self._resume(finishing=True) or self._stopped()

    def _run_again(self, trial_id: str) -> Trial:
        trial = self.trials[trial_id]
        trial.status = TrialStatus.RUNNING  # a rung may have said "stop" to the worker that is gone
        return trial

    def _resume(self, *, finishing: bool = False) -> Trial | None:
        """The paused trial that has earned it."""
        trial_id = self._race.next_up(finishing=finishing)
        return None if trial_id is None else self._take_up(trial_id, until=None)

    def _as_it_is(self) -> Trial | None:
        """The best paused trial, to be scored without another epoch."""
        completed = sum(record.state == "completed" for record in self.records.values())
        best = self._race.finalist(completed + len(self.ongoing_trials))
        return None if best is None else self._take_up(best.trial_id, until=best.epochs)

    def _take_up(self, trial_id: str, until: int | None) -> Trial:
        self._write("resumed", trial_id=trial_id, until=until)
        self._race.resume(trial_id, until)
        return self._run_again(trial_id)

    def _pause(self, record: TrialRecord) -> None:
        self._race.pause(record)
        self.trials[record.trial_id].hyperparameters.values = dict(record.hyperparameters)

    def _prune_paused(self) -> None:
        """The search ends, so they have no more to wait for."""
        for record in self._race.paused():
            self._write("ended", record=record.to_json())
            self._conclude(record)

    def _stopped(self) -> Trial:
        return Trial(self.hyperparameters.copy(), str(len(self.trials)), TrialStatus.STOPPED)

    def _ranks(self) -> list[Known] | None:
        """What the forest learns from, where trials are on no common scale."""
        # A fine-tuned trial says more about the weights it began with than about its values.
        records = {name: record for name, record in self.records.items() if self._origins[name] != FINE_TUNE}
        ranks = self._race.ranks(records)
        if ranks is None:
            return None
        return [(self.trials[trial_id].hyperparameters.values, rank) for trial_id, rank in ranks.items()]

    def _start(self) -> Trial | None:
        trial_id = str(len(self.trials))
        if self.remaining_trials() == 0:
            return None
        answer = self.populate_space(trial_id)
        if answer["status"] != TrialStatus.RUNNING:
            return None
        self._write("started", trial_id=trial_id, hyperparameters=answer["values"], origin=self._origins[trial_id])
        return self._remember(trial_id, answer["values"])

    def _remember(self, trial_id: str, values: Mapping[str, Any]) -> Trial:
        hyperparameters = self.hyperparameters.copy()
        hyperparameters.values = dict(values)
        trial = self.trials[trial_id] = Trial(hyperparameters, trial_id, TrialStatus.RUNNING)
        self.start_order.append(trial_id)
        self._proposals.mark(values, trial_id)
        return trial

    def _costs(self, metrics: Mapping[str, float]) -> list[float]:
        """Of objectives other than the first, as far as they are known: the smaller the better."""
        others = [each for each in self.objectives[1:] if each.name in metrics]
        return [float(metrics[each.name]) * (-1 if each.direction == "max" else 1) for each in others]

    def _report(self, trial: Trial, epoch: int, metric: float, costs: Sequence[float]) -> None:
        known = {"costs": list(costs)} if costs else {}
        number = metric if math.isfinite(metric) else None
        self._write("epoch", trial_id=trial.trial_id, epoch=epoch, metric=number, **known)
        self._rung(trial, epoch, metric, costs)

    def _rung(self, trial: Trial, epoch: int, metric: float, costs: Sequence[float]) -> None:
        set_metric(trial, RUNG, metric, epoch, direction="max")
        exempt = self._origins.get(trial.trial_id) == FINE_TUNE  # its weights are trained: no race for others
        if not self._race.go_on(trial.trial_id, epoch, metric, costs, exempt=exempt):
            trial.status = TrialStatus.STOPPED

    def _set_metrics(self, trial: Trial, metrics: Mapping[str, float], step: int) -> None:
        directions = {each.name: each.direction for each in self.objectives}
        for name, value in metrics.items():
            set_metric(trial, name, float(value), step, direction=directions.get(name, "min"))

    def _conclude(self, record: TrialRecord) -> None:
        trial = self.trials[record.trial_id]
        self.records[record.trial_id] = record
        self._race.ended(record)
        self.end_order.append(record.trial_id)
        trial.status, trial.message = STATUS[record.state], record.error
        trial.hyperparameters = self.hyperparameters.copy()  # with what the build, or the fit, asked for on its way
        trial.hyperparameters.values = dict(record.hyperparameters)
        if record.score is not None:  # completed: `checked`
            trial.score, trial.best_step = record.score, record.epochs
            self._set_metrics(trial, {**record.metrics, self.objective.name: record.score}, record.epochs)
        objectives = None if record.score is None else self._objectives(record)
        self._proposals.tell(record, objectives, self.hyperparameters.space)

    def _let_go(self, trial_id: str) -> None:
        holders = [tuner_id for tuner_id, trial in self.ongoing_trials.items() if trial.trial_id == trial_id]
        for tuner_id in holders:
            del self.ongoing_trials[tuner_id]

    def _objectives(self, record: TrialRecord) -> list[float]:
        assert record.score is not None  # a completed trial has all objectives: `checked`
        return [record.score, *(record.metrics[each.name] for each in self.objectives[1:])]

    def _write(self, event: str, **content: Any) -> None:
        self.reload()
        assert self._journal is not None  # opened by `reload`
        self._journal.append(event, **content)

    def _replay(self, entry: Mapping[str, Any]) -> None:
        match entry["event"]:
            case "space":
                self.hyperparameters.merge([hp_types.deserialize(each) for each in entry["hyperparameters"]], False)
            case "started":
                trial_id, values = entry["trial_id"], entry["hyperparameters"]
                self._origins[trial_id] = entry["origin"]
                self._proposals.repeat(trial_id, self.hyperparameters.space, Proposal(values, entry["origin"]))
                self._remember(trial_id, values)
            case "epoch":
                metric = math.nan if entry["metric"] is None else entry["metric"]
                self._rung(self.trials[entry["trial_id"]], entry["epoch"], metric, entry.get("costs", ()))
            case "paused":
                self._pause(TrialRecord.from_json(entry["record"]))
            case "resumed":
                self._race.resume(entry["trial_id"], entry["until"])
            case "lost":
                self._losses[entry["trial_id"]] = self._losses.get(entry["trial_id"], 0) + entry.get("counted", True)
            case "ended":
                self._conclude(TrialRecord.from_json(entry["record"]))


def _moved(trial_id: str, entries: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a trial has trained an epoch since it was started, taken up again, or lost."""
    events = [entry["event"] for entry in entries if entry.get("trial_id") == trial_id]
    return bool(events) and events[-1] == "epoch"
