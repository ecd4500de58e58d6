"""How a search stands, for people: the same in `evertune tune` and in `evertune status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.sparkline import sparkline
from cli.tables import hyperparameters, plain_table, ratio, trials_table
from cli.times import duration

_STATES = ("completed", "paused", "pruned", "rejected", "failed")
_FEWEST = 3  # trials, of `tune.pace`


def draw_search(found: Mapping[str, Any], *, encoding: str = "utf-8") -> RenderableType:
    """Progress, time left, trials in work, and the best ones.

    Args:
        found: `tune.standing.Standing.to_json`.
        encoding: Of the terminal.
    """
    from tune.record import TrialRecord

    drawn: list[RenderableType] = [_progress(found), Text(summary(found))]
    if found["in_work"]:
        drawn.append(_in_work(found, ascii_only=not encoding.lower().startswith("utf")))
    if found["best"]:
        records = [TrialRecord.from_json(each) for each in found["best"]]
        drawn.append(trials_table(records, title="best so far, by the accuracy of the artifact"))
    return Group(*drawn)


def summary(found: Mapping[str, Any]) -> str:
    """One line: how many trials ended how.

    Example:
        >>> summary({"states": {"failed": 1, "completed": 3, "running": 2}, "workers_lost": 1})
        '3 completed, 1 failed, 1 worker lost and replaced'
    """
    states = [f"{found['states'][state]} {state}" for state in _STATES if found["states"].get(state)]
    if finals := found.get("finals"):
        states.append(f"{finals} {'training' if finals == 1 else 'trainings'} of finalists")
    if lost := found["workers_lost"]:
        states.append(f"{lost} {'worker' if lost == 1 else 'workers'} lost and replaced")
    return ", ".join(states) or "no trial has ended"


def time_left(found: Mapping[str, Any]) -> str:
    """In words, and no promise.

    Example:
        >>> time_left({"finished": False, "seconds_left": 130.0})
        'about 2 min 10 s left'
    """
    if found["finished"]:
        return "finished"
    seconds = found["seconds_left"]
    if seconds is None:
        few = found["max_trials"] and found["counted_trials"] < _FEWEST
        return f"time left: known after {_FEWEST} trials" if few else "time left unknown"
    return "about to end" if seconds < 1 else f"about {duration(seconds)} left"


def _progress(found: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=max(1, found["max_trials"]), completed=found["counted_trials"], width=24)
    table.add_row(bar, f"{found['counted_trials']} of {found['max_trials'] or '?'} trials", time_left(found))
    return table


def _in_work(found: Mapping[str, Any], *, ascii_only: bool) -> Table:
    table = plain_table("in work", ("trial", "state"), ("epoch", "accuracy"))
    table.add_column("curve", min_width=6)
    table.add_column("for", justify="right", no_wrap=True)
    table.add_column("values", no_wrap=True, overflow="ellipsis", ratio=1)
    table.expand = True
    for trial in found["in_work"]:
        table.add_row(
            trial["trial_id"],
            trial["state"] if trial["attempt"] == 1 else f"{trial['state']}, attempt {trial['attempt']}",
            f"{trial['epoch']}/{found['max_epochs'] or '?'}",
            ratio(trial["accuracy"]),
            sparkline(trial["accuracies"], ascii_only=ascii_only),
            duration(trial["seconds"]),
            hyperparameters(trial["hyperparameters"]),
        )
    return table
