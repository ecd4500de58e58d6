"""The result of a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evertune.errors import SearchError
from tune.journal import read_entries
from tune.pareto import non_dominated
from tune.plan import Plan
from tune.record import TrialRecord

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Study:
    """All ended trials of a search.

    Attributes:
        folder: With journal, data and the winners' weights.
        trials: In the order of their ends.
        plan: What was searched under which limits.
        fingerprint: Of task, data and settings.
    """

    folder: Path
    trials: tuple[TrialRecord, ...]
    plan: Plan
    fingerprint: Mapping[str, Any]

    @property
    def best(self) -> TrialRecord:
        """The completed trial whose artifact is most accurate; of equals the fastest.

        Raises:
            SearchError: No trial completed.
        """
        completed = ranked(self.trials)
        if not completed:
            raise no_winner(self.trials)
        return completed[0]

    @property
    def pareto(self) -> list[TrialRecord]:
        """Completed trials that no other beats in accuracy, latency and size at once, the most accurate first."""
        return pareto_of(self.trials)


def ranked(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Completed trials, the best first."""
    completed = [record for record in records if record.state == "completed"]
    return sorted(completed, key=lambda record: (-(record.score or 0.0), record.latency_seconds or 0.0))


def pareto_of(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """See `Study.pareto`."""
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


def load_study(folder: Path) -> Study:
    """Reads a study from its journal; imports no framework.

    Raises:
        SearchError: There is no study, or its journal is damaged.
    """
    entries, _ = read_entries(folder / JOURNAL)
    header = next((entry for entry in entries if entry["event"] == "study"), None)
    if header is None:  # no journal, or one whose search was killed before its first line
        raise SearchError(f"there is no study in {folder}", fix="Run `evertune tune` first.", folder=str(folder))
    trials = tuple(TrialRecord.from_json(entry["record"]) for entry in entries if entry["event"] == "ended")
    plan = Plan.from_json({**header["plan"], "folder": str(folder)})  # wherever it lies by now
    return Study(folder, trials, plan, header["fingerprint"])
