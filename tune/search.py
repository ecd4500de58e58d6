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
from evertune.loading import load_task, source_digest
from evertune.settings import ExportSettings, LimitSettings, TuneSettings
from evertune.task import LabelledWindow, Splits, Task
from evertune.task_errors import explain_in_task
from tune.backend import fix_backend
from tune.dataset import digest, write_splits
from tune.events import Progress, SearchStarted
from tune.folder_lock import locked
from tune.journal import Journal
from tune.plan import Plan
from tune.pool import Pool
from tune.process_pool import ProcessPool
from tune.rungs import Rungs
from tune.standing import Standing
from tune.study import JOURNAL, Study, load_study, no_winner, ranked
from tune.tracking import tracked
from tune.warm_start import WarmStart

_BEGUN = "warm_start"  # in the journal's first entry


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
        warm_start: What is tried first. A search that goes on keeps what it began with; None is no wish for another.
        progress: Told what happens, in this thread.
        clock: Of events, of the journal and of the time limit.

    Raises:
        TaskError: The task file does not import, or builds no model.
        DataError: The task's data cannot be learned from.
        SearchError: The folder holds, or is in use by, another search; workers do not start; no trial completed.
    """
    fix_backend(settings.backend)
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
        )
        fingerprint = _fingerprint(plan, splits, task)
        if len(settings.objectives) > 1:
            fingerprint["objectives"] = list(settings.objectives)
        # Another search's folder is left as it is.
        journal, begun = _open_journal(plan, fingerprint, warm_start, clock)
        try:
            write_splits(splits, plan.data)
            plan = replace(plan, warm_weights=begun.weights)
            with tracked(folder, settings, progress, clock) as told:
                _run(journal, plan, task, splits, settings, begun, told, clock)
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
    if _is_finished(journal, settings) or _out_of_time(journal, settings):
        return
    counted = sum(entry["event"] == "ended" and entry["record"]["state"] != "rejected" for entry in journal.entries)
    missing = settings.max_trials - counted
    workers = min(settings.workers, missing) if missing > 0 else settings.workers  # killed in its finals
    names = ("max_trials", "max_seconds", "max_total_epochs")
    journal.append("session", **{name: getattr(settings, name) for name in names}, workers=workers)
    deadline = clock() + _seconds_left(journal, settings)
    progress(SearchStarted(clock(), settings.max_trials, settings.max_epochs, workers, ended))
    pool = _pool(plan, workers, settings)
    try:
        pool.start()  # they import their framework while this process does the same
        from tune.costs import objectives_of
        from tune.finals import hold_finals
        from tune.oracle import StudyOracle
        from tune.tuner import StudyTuner

        oracle = StudyOracle(
            objectives_of(settings.objectives),
            max_trials=settings.max_trials,
            seed=settings.seed,
            rungs=Rungs(settings.max_epochs),
            max_total_epochs=settings.max_total_epochs or None,
            enqueue=warm_start.queue(),
            enqueue_defaults=warm_start.defaults,
            former=warm_start.ranks,
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
        if tuner.search(pool) and hold_finals(
            pool, journal, tuner, task, splits, plan, settings, progress, clock, deadline
        ):
            journal.append("finished", max_trials=settings.max_trials, max_total_epochs=settings.max_total_epochs)
        else:
            journal.append("out_of_time", max_seconds=settings.max_seconds)
    finally:
        pool.close()


def _is_finished(journal: Journal, settings: TuneSettings) -> bool:
    """Whether it came to its end under limits that were not raised since."""
    ends = [entry for entry in journal.entries if entry["event"] == "finished"]
    epochs = settings.max_total_epochs or math.inf
    return any(
        entry["max_trials"] >= settings.max_trials and (entry.get("max_total_epochs") or math.inf) >= epochs
        for entry in ends
    )


def _pool(plan: Plan, workers: int, settings: TuneSettings) -> Pool:
    if settings.executor == "ray":
        from tune.ray_pool import RayPool

        gpus, address = settings.ray_gpus, settings.ray_address
        return RayPool(plan, workers, threads=settings.threads, gpus=gpus, address=address)
    return ProcessPool(plan, workers, threads=settings.threads)


def _seconds_left(journal: Journal, settings: TuneSettings) -> float:
    return settings.max_seconds - Standing(journal.entries).spent_seconds() if settings.max_seconds else math.inf


def _out_of_time(journal: Journal, settings: TuneSettings) -> bool:
    ends = [entry["max_seconds"] for entry in journal.entries if entry["event"] == "out_of_time"]
    over = _seconds_left(journal, settings) <= 0 or (
        settings.max_seconds and max(ends, default=0) >= settings.max_seconds
    )
    return bool(over) and not _is_finished(journal, settings)


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


def _open_journal(
    plan: Plan, fingerprint: Mapping[str, Any], wanted: WarmStart | None, clock: Clock
) -> tuple[Journal, WarmStart]:
    """The journal, and the warm start with which its search began."""
    journal = Journal(plan.folder / JOURNAL, clock=clock)
    header = next((entry for entry in journal.entries if entry["event"] == "study"), None)
    differences = [] if header is None else _differences(header, fingerprint, wanted)
    if differences and not any(entry["event"] == "started" for entry in journal.entries):
        journal.close()  # it ended before its first trial, in an error that was mended since: nothing is lost
        journal.path.unlink()
        return _open_journal(plan, fingerprint, wanted, clock)
    if differences:
        journal.close()
        raise SearchError(
            f"{plan.folder} holds another search: {'; '.join(differences)}",
            fix="Choose another folder (`evertune tune --study NAME`), or delete this one.",
            folder=str(plan.folder),
        )
    if header is None:
        begun = (wanted or WarmStart()).kept_in(plan.folder)
        journal.append(
            "study", format_version=1, plan=plan.to_json(), fingerprint=fingerprint, warm_start=begun.to_json()
        )
        return journal, begun
    if _BEGUN not in header:  # an older version's
        return journal, (wanted or WarmStart()).kept_in(plan.folder)
    return journal, WarmStart.from_json(header[_BEGUN], plan.folder)


def _differences(header: Mapping[str, Any], now: Mapping[str, Any], wanted: WarmStart | None) -> list[str]:
    before, begun = header["fingerprint"], header.get(_BEGUN)
    starts = []
    if begun is not None and wanted is not None and begun["source"] != wanted.source:
        starts = [f"it began with {begun['source'] or 'no warm start'}, not with {wanted.source}"]
    hashes = {"source_sha256": "the task's code", "data_sha256": "the data"}
    return starts + [
        f"{hashes[name]} changed since" if name in hashes else f"{name} was {before.get(name)!r} and is {value!r}"
        for name, value in now.items()
        if before.get(name) != value
    ]
