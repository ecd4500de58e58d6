"""The search, from a task's reference to a study."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from evertune.checks import check_splits
from evertune.class_weights import with_class_weights
from evertune.clock import Clock, system_clock
from evertune.errors import EvertuneError, SearchError
from evertune.guarded import guarded_slices
from evertune.loading import explain_in_task, load_task, source_digest
from evertune.settings import ExportSettings, LimitSettings, TuneSettings
from evertune.task import LabelledWindow, Splits, Task
from tune.backend import fix_backend
from tune.dataset import digest, write_splits
from tune.events import Progress, SearchStarted
from tune.journal import Journal
from tune.lock import locked
from tune.plan import Plan
from tune.pool import WorkerPool
from tune.rungs import Rungs
from tune.standing import Standing
from tune.study import JOURNAL, Study, load_study, no_winner, ranked
from tune.tracking import tracked
from tune.warm_start import WarmStart


def search(
    task_reference: str,
    *,
    project_root: Path,
    window: LabelledWindow,
    folder: Path,
    settings: TuneSettings,
    limits: LimitSettings,
    export: ExportSettings,
    warm_start: WarmStart | None = None,
    progress: Progress | None = None,
    clock: Clock = system_clock,
) -> Study:
    """Searches architecture, hyperparameters and strategy, or goes on with a search that was interrupted.

    It may be killed at any moment, and so may its workers: called again with the same arguments it goes on within an
    epoch, and no trial is lost or run twice. A search that has ended goes on when `max_trials` was raised.

    Args:
        task_reference: "file.py:Class", a `Task` or a `keras_tuner.HyperModel`.
        project_root: That file is relative to it.
        window: Labelled live rows; empty for a first search.
        folder: Of the study; one search at a time may use it.
        settings: Trials, epochs, workers, seed, backend, timeout.
        limits: Models over them are not trained.
        export: How trials are scored.
        warm_start: What is tried first.
        progress: Told what happens, in this thread.
        clock: Of events, of the journal and of the time limit.

    Raises:
        TaskError: The task file does not import, or builds no model.
        DataError: The task's data cannot be learned from.
        SearchError: The folder holds, or is in use by, another search; workers do not start; no trial completed.
    """
    fix_backend(settings.backend)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        task = load_task(task_reference, project_root)
        splits = _data(task, window, project_root, task_reference)
        plan = Plan(
            reference=task_reference,
            root=project_root.resolve(),
            folder=folder.resolve(),
            max_epochs=settings.max_epochs,
            seed=settings.seed,
            backend=settings.backend,
            limits=limits,
            export=export,
            warm_weights=None if warm_start is None or warm_start.weights is None else warm_start.weights.resolve(),
        )
        journal = _open_journal(
            plan, _fingerprint(plan, splits, task), clock
        )  # another search's folder is left as it is
        try:
            write_splits(splits, plan.data)
            with tracked(folder, settings, progress, clock) as told:
                _run(journal, plan, task, splits, settings, warm_start or WarmStart(), told, clock)
        finally:
            journal.close()
        study = load_study(folder)
    if not ranked(study.trials):
        raise _too_short(settings) if _out_of_time(journal, settings) else no_winner(study.trials)
    return study


def _run(
    journal: Journal,
    plan: Plan,
    task: Task,
    splits: Splits,
    settings: TuneSettings,
    warm_start: WarmStart,
    progress: Progress,
    clock: Clock,
) -> None:
    ended = sum(entry["event"] == "ended" for entry in journal.entries)
    if _is_finished(journal, settings.max_trials) or _out_of_time(journal, settings):
        return
    counted = sum(entry["event"] == "ended" and entry["record"]["state"] != "rejected" for entry in journal.entries)
    workers = max(1, min(settings.workers, settings.max_trials - counted))
    limits = {"max_trials": settings.max_trials, "max_seconds": settings.max_seconds}
    journal.append("session", **limits, workers=workers)
    deadline = clock() + _seconds_left(journal, settings)
    progress(SearchStarted(clock(), settings.max_trials, settings.max_epochs, workers, ended))
    pool = WorkerPool(plan, workers)
    try:
        pool.start()  # they import their framework while this process does the same
        from tune.oracle import StudyOracle
        from tune.tuner import StudyTuner

        oracle = StudyOracle(
            max_trials=settings.max_trials,
            seed=settings.seed,
            rungs=Rungs(settings.max_epochs),
            enqueue=warm_start.hyperparameters,
            journal=journal,
        )
        with _blame(plan):
            tuner = StudyTuner(
                oracle,
                task,
                splits,
                plan,
                trial_timeout_seconds=settings.trial_timeout_seconds,
                progress=progress,
                clock=clock,
                deadline=deadline,
            )
        if tuner.search(pool):
            journal.append("finished", max_trials=settings.max_trials)
        else:
            journal.append("out_of_time", max_seconds=settings.max_seconds)
    finally:
        pool.close()


def _is_finished(journal: Journal, max_trials: int) -> bool:
    return any(entry["event"] == "finished" and entry["max_trials"] >= max_trials for entry in journal.entries)


def _seconds_left(journal: Journal, settings: TuneSettings) -> float:
    return settings.max_seconds - Standing(journal.entries).spent_seconds() if settings.max_seconds else math.inf


def _out_of_time(journal: Journal, settings: TuneSettings) -> bool:
    ends = [entry["max_seconds"] for entry in journal.entries if entry["event"] == "out_of_time"]
    over = _seconds_left(journal, settings) <= 0 or (
        settings.max_seconds and max(ends, default=0) >= settings.max_seconds
    )
    return bool(over) and not _is_finished(journal, settings.max_trials)


def _too_short(settings: TuneSettings) -> SearchError:
    seconds = settings.max_seconds
    return SearchError(
        f"no trial completed within tune.max_seconds = {seconds:,.0f}", fix="Raise it: the search goes on where it was."
    )


def _data(task: Task, window: LabelledWindow, root: Path, reference: str) -> Splits:
    try:
        splits = task.data(window)
    except EvertuneError:
        raise
    except Exception as error:
        raise explain_in_task(error, _file(root, reference), "Task.data failed") from error
    check_splits(task, splits)
    guarded = guarded_slices(task, splits.test.inputs)  # by what a row is, so that live rows are in them, too
    return with_class_weights(task, replace(splits, slices={**splits.slices, **guarded}))


@contextmanager
def _blame(plan: Plan) -> Iterator[None]:
    """What the task's `build`, or its own `fit`, raises while the search space is explored."""
    try:
        yield
    except EvertuneError:
        raise
    except Exception as error:
        doing = "the model cannot be built, or not trained"
        raise explain_in_task(error, _file(plan.root, plan.reference), doing) from error


def _file(root: Path, reference: str) -> Path:
    return (root / reference.rpartition(":")[0]).resolve()


def _fingerprint(plan: Plan, splits: Splits, task: Task) -> dict[str, Any]:
    """What must not change between the parts of one search."""
    return {
        "task": task.name,
        "reference": plan.reference.rpartition(":")[2],
        "source_sha256": source_digest(plan.reference, plan.root),
        "data_sha256": digest(splits),
        "max_epochs": plan.max_epochs,
        "seed": plan.seed,
        "backend": plan.backend,
        "limits": plan.limits.model_dump(mode="json"),
        "export": plan.export.model_dump(mode="json"),
    }


def _open_journal(plan: Plan, fingerprint: Mapping[str, Any], clock: Clock) -> Journal:
    journal = Journal(plan.folder / JOURNAL, clock=clock)
    header = next((entry for entry in journal.entries if entry["event"] == "study"), None)
    differences = [] if header is None else _differences(header["fingerprint"], fingerprint)
    if differences and not any(entry["event"] == "started" for entry in journal.entries):
        journal.close()  # it ended before its first trial, in an error that was mended since: nothing is lost
        journal.path.unlink()
        return _open_journal(plan, fingerprint, clock)
    if differences:
        journal.close()
        raise SearchError(
            f"{plan.folder} holds another search: {'; '.join(differences)}",
            fix="Choose another folder (`evertune tune --study NAME`), or delete this one.",
            folder=str(plan.folder),
        )
    if header is None:
        journal.append("study", format_version=1, plan=plan.to_json(), fingerprint=fingerprint)
    return journal


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    hashes = {"source_sha256": "the task's code", "data_sha256": "the data"}
    return [
        f"{hashes[name]} changed since" if name in hashes else f"{name} was {before.get(name)!r} and is {value!r}"
        for name, value in now.items()
        if before.get(name) != value
    ]
