"""Between KerasTuner's trial, with its histories of metrics, and the record of how it ended."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus

from tune.record import State, TrialRecord
from tune.space import active

RUNG_METRIC = "val_accuracy"
RUNG = "rung"  # the same, from a tuner whose objective may itself be called `val_accuracy`; the larger the better
STATUS: Mapping[State, str] = {
    "completed": TrialStatus.COMPLETED,
    "pruned": TrialStatus.STOPPED,
    "rejected": TrialStatus.INVALID,
    "failed": TrialStatus.FAILED,
}


def record_of(trial: Trial, state: State, origin: str, **content: Any) -> TrialRecord:
    """A record of what the trial reported so far."""
    rung, epochs = _last(trial, RUNG)
    values = active(trial.hyperparameters.space, trial.hyperparameters.values)
    return TrialRecord(trial.trial_id, values, state, origin=origin, rung_metric=rung, epochs=epochs, **content)


def derive(trial: Trial, objective: str, origin: str) -> TrialRecord:
    """The record of a trial that some KerasTuner tuner ended by setting its status."""
    if trial.status == TrialStatus.STOPPED:
        return record_of(trial, "pruned", origin)
    if trial.status != TrialStatus.COMPLETED:
        return record_of(trial, "failed", origin, error=trial.message)
    metrics = {name: float(trial.metrics.get_last_value(name)) for name in trial.metrics.metrics if name != RUNG}
    score = _best_value(trial, objective) if metrics.pop(objective, None) is not None else None
    return record_of(trial, "completed", origin, score=score, metrics=metrics)


def checked(record: TrialRecord, objectives: Sequence[str]) -> TrialRecord:
    """The record as the journal can hold it. An objective that is not a number is a failure, whatever the trial says.

    Args:
        record: Of an ended trial.
        objectives: Names; the first is the record's score, the others are among its metrics.
    """
    values = [record.score, *(record.metrics.get(name) for name in objectives[1:])]
    finite = TrialRecord.from_json(record.to_json())
    if record.state != "completed" or all(value is not None and math.isfinite(value) for value in values):
        return finite
    found = ", ".join(f"{name} = {value}" for name, value in zip(objectives, values, strict=True))
    return replace(
        finite, state="failed", score=None, metrics={}, error=f"the objective is not a finite number: {found}"
    )


def set_metric(trial: Trial, name: str, value: float, step: int, *, direction: str) -> None:
    """Adds a value to the history of a metric."""
    if not trial.metrics.exists(name):
        trial.metrics.register(name, direction=direction)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, where all values so far are NaN
        trial.metrics.update(name, value, step=step)


def _best_value(trial: Trial, name: str) -> float:
    """As `keras_tuner.Oracle.score_trial`: of an objective that was reported after every epoch, the best one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(trial.metrics.get_best_value(name))


def _last(trial: Trial, name: str) -> tuple[float | None, int]:
    if not trial.metrics.exists(name):
        return None, 0
    last = trial.metrics.get_history(name)[-1]
    return float(last.value[-1]), int(last.step)
