"""How a search stands, for people: the same in `evertune tune` and in `evertune status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.sparkline import sparkline
from cli.tables import hyperparameters, plain_table, ratio, trials_table
from cli.times import duration

if TYPE_CHECKING:
    from tune.standing import Standing

_STATES = ("completed", "paused", "pruned", "rejected", "failed")


def draw_search(standing: Standing, now: float, *, best: int = 5, encoding: str = "utf-8") -> RenderableType:
    """Progress, time left, trials in work, and the best ones.

    Args:
        standing: Of the search.
        now: Seconds since the epoch.
        best: How many of them.
        encoding: Of the terminal.
    """
    drawn: list[RenderableType] = [_progress(standing, now), Text(summary(standing))]
    if standing.running:
        drawn.append(_in_work(standing, now, ascii_only=not encoding.lower().startswith("utf")))
    records = standing.best(best)
    if records:
        drawn.append(trials_table(records, title="best so far, by the accuracy of the artifact"))
    return Group(*drawn)


def summary(standing: Standing) -> str:
    """One line: how many trials ended how.

    Example:
        >>> from tune.standing import Standing
        >>> summary(Standing())
        'no trial has ended'
    """
    counts = standing.counts
    states = [f"{counts[state]} {state}" for state in _STATES if counts[state]]
    if standing.lost:
        states.append(f"{standing.lost} {'worker' if standing.lost == 1 else 'workers'} lost and replaced")
    return ", ".join(states) or "no trial has ended"


def time_left(standing: Standing, now: float) -> str:
    """In words, and no promise."""
    from tune.pace import FEWEST_TRIALS

    if standing.finished:
        return "finished"
    seconds = standing.seconds_left(now)
    if seconds is None:
        judged = len(standing.ended) < FEWEST_TRIALS and standing.max_trials
        return (
            f"time left unknown before {FEWEST_TRIALS} trials that count have ended" if judged else "time left unknown"
        )
    if seconds < 1:
        return "about to end"
    return f"about {duration(seconds)} left"


def _progress(standing: Standing, now: float) -> Table:
    done = sum(record.state != "rejected" for record in standing.ended)  # rejected ones do not count
    table = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=max(1, standing.max_trials), completed=done, width=30)
    table.add_row(bar, f"{done} of {standing.max_trials or '?'} trials", time_left(standing, now))
    return table


def _in_work(standing: Standing, now: float, *, ascii_only: bool) -> Table:
    table = plain_table("in work", ("trial", "state"), ("epoch", "accuracy"))
    table.add_column("curve", min_width=6)
    table.add_column("for", justify="right")
    table.add_column("tries", no_wrap=True, overflow="ellipsis", ratio=1)
    table.expand = True
    for trial in standing.running:
        told = trial.to_json(now, standing.max_epochs)
        table.add_row(
            trial.trial_id,
            told["state"] if trial.attempt == 1 else f"{told['state']}, attempt {trial.attempt}",
            f"{trial.epoch}/{standing.max_epochs or '?'}",
            ratio(told["accuracy"]),
            sparkline(told["accuracies"], ascii_only=ascii_only),
            duration(told["seconds"]),
            hyperparameters(trial.hyperparameters),
        )
    return table
