"""What a search tells while it runs: small frozen objects, so that any display can follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tune.record import TrialRecord


@dataclass(frozen=True)
class SearchStarted:
    """Workers are being started. `resumed_trials`: how many ended trials the journal already holds."""

    at_seconds: float
    max_trials: int
    max_epochs: int
    workers: int
    resumed_trials: int


@dataclass(frozen=True)
class TrialStarted:
    """A worker took a trial. `attempt` is above 1 where a worker died with it."""

    at_seconds: float
    trial_id: str
    hyperparameters: Mapping[str, Any]
    origin: str
    attempt: int


@dataclass(frozen=True)
class TrialEpoch:
    """An epoch ended. `accuracy`: of the training framework on validation rows."""

    at_seconds: float
    trial_id: str
    epoch: int
    accuracy: float


@dataclass(frozen=True)
class TrialPaused:
    """Stopped at a rung; it goes on (`TrialStarted`, the same id) if it is among the best when others are there."""

    at_seconds: float
    trial_id: str
    record: TrialRecord


@dataclass(frozen=True)
class TrialPruned:
    """It reported what is no number, and so was stopped for good."""

    at_seconds: float
    trial_id: str
    record: TrialRecord


@dataclass(frozen=True)
class TrialRejected:
    """Over a limit before training, or once fitted where that is not known before; `record.error` says which."""

    at_seconds: float
    trial_id: str
    record: TrialRecord


@dataclass(frozen=True)
class TrialFinished:
    """Trained and scored on its artifact."""

    at_seconds: float
    trial_id: str
    record: TrialRecord


@dataclass(frozen=True)
class TrialFailed:
    """Exception, NaN or timeout; `record.error` has the traceback."""

    at_seconds: float
    trial_id: str
    record: TrialRecord


@dataclass(frozen=True)
class WorkerLost:
    """A worker process died; its trial, if it had one, goes to another. Ray tells no exit code."""

    at_seconds: float
    trial_id: str | None
    exit_code: int | None


@dataclass(frozen=True)
class FinalsStarted:
    """The search has ended; these trials are trained again, each `seeds` times."""

    at_seconds: float
    trial_ids: tuple[str, ...]
    seeds: int


@dataclass(frozen=True)
class FinalEnded:
    """One of these trainings ended: "3.1" is the first of trial 3."""

    at_seconds: float
    trial_id: str
    record: TrialRecord


@dataclass(frozen=True)
class Notice:
    """What does not concern the search itself: a tracking server that is away, say."""

    at_seconds: float
    text: str


Event = (
    SearchStarted
    | TrialStarted
    | TrialEpoch
    | TrialPaused
    | TrialPruned
    | TrialRejected
    | TrialFinished
    | TrialFailed
    | FinalsStarted
    | FinalEnded
    | WorkerLost
    | Notice
)
Progress = Callable[[Event], None]
"""Called in the driver's thread; what it raises ends the search."""
