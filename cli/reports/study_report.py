"""The report of a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cli.reports.page import Page
from cli.reports.parallel import parallel_coordinates
from cli.reports.search_course import add_course
from cli.reports.study_figures import curves, importance_bars, pareto
from cli.tables import hyperparameters, kilobytes, milliseconds, ratio
from evertune.errors import SearchError
from tune.contender import Contender
from tune.curves import learning_curves
from tune.importances import importances
from tune.record import TrialRecord
from tune.study import Study, ranked

_FEWEST_LINES = 3  # of parallel coordinates
_AXIS_PIXELS = 85  # each, or their texts overlap


def study_page(study: Study) -> Page:
    """Pareto front, learning curves, importances, parallel coordinates, its course, and every trial.

    Rejected and failed ones are there with the reason, and with the traceback if there is one.

    Args:
        study: With or without a completed trial.
    """
    states = Counter(record.state for record in study.trials)
    told = ", ".join(f"{count} {state}" for state, count in states.items()) or "no trial yet"
    page = Page(f"Study {study.folder.name}", f"{study.fingerprint.get('task', '')}: {told}")
    add_study(page, study)
    return page


def add_study(page: Page, study: Study) -> None:
    """The sections of a study, for the pages that hold one."""
    _add_best(page, study)
    _add_plots(page, study)
    add_course(page, study)
    _add_trials(page, study)


def _add_best(page: Page, study: Study) -> None:
    page.section("Best trials")
    best = ranked(study.trials)
    if not best:
        page.text("No trial completed.")
    page.table(_HEADER, (_row(record) for record in best))
    _add_choice(page, study)
    if best:
        page.plot(pareto(study), "Area by file size. A point is its trial's number; touch it for its hyperparameters.")


def _add_choice(page: Page, study: Study) -> None:
    """Which trial ships, and what it was compared with."""
    try:
        choice = study.best()
    except SearchError as error:
        page.text(f"None ships: {error.message}.")
        return
    page.text(f"Ships {choice.reason}")
    if len(choice.contenders) > 1:
        header = ("trial", "mean accuracy", "trainings", "latency", "size")
        page.table(header, (_contender(each) for each in choice.contenders))


def _add_plots(page: Page, study: Study) -> None:
    found = learning_curves(study.folder)
    if found:
        page.section("Learning curves")
        page.plot(
            curves(study, found),
            "Red: the best trial. Green: completed. Grey: stopped early, at a rung. These figures steer pruning and "
            "rank nothing: what counts is the artifact's own accuracy.",
        )
    page.section("Importances")
    told = importances(study)
    if told.absent is None:
        page.plot(importance_bars(told), "How much of the spread of accuracy over the searched space each explains.")
    else:
        page.text(f"Not shown: {told.absent}.")
    if told.left_out and told.absent is None:
        page.text(f"Not ranked, since only some trials had them: {', '.join(told.left_out)}.", dim=True)
    shown = [record for record in study.trials if record.score is not None or record.rung_metric is not None]
    if len(shown) >= _FEWEST_LINES:
        page.section("Parallel coordinates")
        page.plot(
            parallel_coordinates(shown),
            "A line a trial, coloured by accuracy: the artifact's, or the last one reported before it was stopped.",
            least_width=_AXIS_PIXELS * len({name for record in shown for name in record.hyperparameters}),
        )


def _add_trials(page: Page, study: Study) -> None:
    by_state = {state: [each for each in study.trials if each.state == state] for state in _TITLES}
    for state, title in _TITLES.items():
        records = by_state[state]
        if not records:
            continue
        page.section(title)
        if state == "pruned":
            page.table(("trial", "epochs", "accuracy then", "hyperparameters"), _pruned(records))
            continue
        page.table(("trial", "why", "hyperparameters"), _ended(records))
        for record in records:
            if record.error and "\n" in record.error.strip():
                page.details(f"trial {record.trial_id}: the whole traceback", record.error)


_TITLES = {"pruned": "Stopped early", "rejected": "Over a limit", "failed": "Failed"}
_HEADER = ("trial", "accuracy", "latency", "size", "precision", "epochs", "origin", "hyperparameters")


def _row(record: TrialRecord) -> tuple[str, ...]:
    cost = (milliseconds(record.latency_seconds), kilobytes(record.size_bytes), record.recipe or "")
    values = hyperparameters(record.hyperparameters)
    return (record.trial_id, ratio(record.score), *cost, str(record.epochs), record.origin, values)


def _contender(each: Contender) -> tuple[str, ...]:
    cost = (milliseconds(each.latency_seconds), kilobytes(each.size_bytes))
    return (each.trial.trial_id, ratio(each.accuracy), str(len(each.trainings)), *cost)


def _pruned(records: Iterable[TrialRecord]) -> Iterable[tuple[str, ...]]:
    for each in records:
        yield each.trial_id, str(each.epochs), ratio(each.rung_metric), hyperparameters(each.hyperparameters)


def _ended(records: Iterable[TrialRecord]) -> Iterable[tuple[str, ...]]:
    for each in records:
        last = (each.error or "").strip().splitlines()
        yield each.trial_id, last[-1] if last else "", hyperparameters(each.hyperparameters)
