"""What many trials together say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evertune.errors import SearchError
from tune.pareto import non_dominated
from tune.record import TrialRecord


def ranked(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Completed trials, the best first."""
    completed = [record for record in records if record.state == "completed"]
    return sorted(completed, key=lambda record: (-(record.score or 0.0), record.latency_seconds or 0.0))


def pareto_of(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Completed trials that no other beats in accuracy, latency and size at once, the most accurate first."""
    completed = ranked(records)
    costs = [(-(each.score or 0.0), each.latency_seconds or 0.0, float(each.size_bytes or 0)) for each in completed]
    return [completed[index] for index in non_dominated(costs)]


def no_winner(records: Sequence[TrialRecord]) -> SearchError:
    """The error of a search in which no trial completed: how they ended, and the first reason."""
    states = Counter(record.state for record in records)
    reasons = [record.error for record in records if record.error]
    first = reasons[0].strip().splitlines()[-1] if reasons else "no trial was started"
    mostly_rejected = states["rejected"] > states["failed"]
    fix = "Raise [limits], or let the task build smaller models." if mostly_rejected else "Correct the task."
    counts = ", ".join(f"{count} {state}" for state, count in states.items()) or "0 trials"
    return SearchError(f"no trial finished ({counts}); the first: {first}", fix=fix, reasons=reasons[:3])
