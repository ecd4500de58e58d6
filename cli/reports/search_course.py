"""How a search went: the best score over time, where trials were stopped, and what is still in work."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import plotly.graph_objects as go

from cli.reports.page import Page
from cli.reports.theme import ACCENT, PALE, figure
from cli.search_text import summary
from cli.tables import hyperparameters, ratio
from cli.times import duration
from tune.journal import read_entries
from tune.standing import Standing, TrialStanding
from tune.study import JOURNAL, Study


def add_course(page: Page, study: Study) -> None:
    """The section, from the study's journal."""
    standing = Standing(read_entries(study.folder / JOURNAL)[0])
    told = standing.to_json(None)
    page.section("Course of the search")
    ended = "finished" if standing.finished else "not finished when this page was written"
    page.text(f"{summary(told)}; {duration(told['seconds'])} of search; {ended}.")
    completed = [each for each in standing.trials.values() if each.state == "completed" and each.ended_at is not None]
    if completed:
        page.plot(best_over_time(completed), "A step is a new best. The accuracy is the artifact's.")
    rungs = rung_rows(list(standing.trials.values()))
    if rungs:
        page.table(("epochs", "trials that came so far", "stopped or waiting there", "went on"), rungs)
    if told["in_work"]:
        page.text("In work:")
        page.table(("trial", "state", "epoch", "accuracy", "hyperparameters"), map(_in_work, told["in_work"]))


def best_over_time(completed: Sequence[TrialStanding]) -> Any:
    """Scores by the minute at which trials ended, and the best one so far.

    Args:
        completed: With a score; in any order.
    """
    ordered = sorted(completed, key=lambda each: each.ended_at or 0.0)
    start = min(each.started_at for each in ordered)
    minutes = [((each.ended_at or 0.0) - start) / 60 for each in ordered]
    scores = [each.record.score or 0.0 for each in ordered if each.record is not None]
    names = [f"trial {each.trial_id}" for each in ordered]
    made = figure(title="Best score over time", x="minutes since the first trial", y="accuracy on validation rows")
    points = go.Scatter(x=minutes, y=scores, text=names, mode="markers", marker_color=PALE, name="a trial")
    line = {"color": ACCENT, "shape": "hv"}
    made.add_trace(points)
    return made.add_trace(go.Scatter(x=minutes, y=list(accumulate(scores, max)), line=line, name="best so far"))


def rung_rows(trials: Sequence[TrialStanding]) -> list[tuple[str, str, str, str]]:
    """A row for each number of epochs after which some trial was stopped.

    Args:
        trials: In whatever state.
    """
    stopped = [each.epoch for each in trials if each.state in ("paused", "pruned") and each.epoch]
    rows = []
    for epoch in sorted(set(stopped)):
        came = sum(each.epoch >= epoch for each in trials)
        here = stopped.count(epoch)
        rows.append((str(epoch), str(came), str(here), str(came - here)))
    return rows


def _in_work(trial: dict[str, Any]) -> tuple[str, ...]:
    values = hyperparameters(trial["hyperparameters"])
    return trial["trial_id"], trial["state"], str(trial["epoch"]), ratio(trial["accuracy"]), values
