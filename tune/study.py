"""The result of a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evertune.errors import SearchError
from evertune.settings import LimitSettings
from evertune.tensors import Array
from tune.choice import Choice, choose
from tune.journal import read_entries
from tune.plan import Plan
from tune.record import TrialRecord
from tune.records import no_winner, pareto_of, ranked
from tune.weights import LOSSES, load_arrays

__all__ = ["JOURNAL", "Study", "load_study", "no_winner", "pareto_of", "ranked"]

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Study:
    """All ended trials of a search.

    Attributes:
        folder: With journal, data and the winners' weights.
        trials: In the order of their ends.
        plan: What was searched under which limits.
        fingerprint: Of task, data and settings.
        finals: Trainings of the best trials with fresh seeds: "3.1" is the first one of trial 3. Those of finals that
            are not over yet are not among them: who was trained again first would win.
        latencies: Seconds of a batch by trial, of those trained again, measured alone and interleaved.
    """

    folder: Path
    trials: tuple[TrialRecord, ...]
    plan: Plan
    fingerprint: Mapping[str, Any]
    finals: tuple[TrialRecord, ...] = ()
    latencies: Mapping[str, float] = field(default_factory=dict)

    def best(self, limits: LimitSettings | None = None) -> Choice:
        """The trial that ships under these limits, and why; see `choose`.

        Args:
            limits: None: those of the search. Tighter ones leave out what is over them; looser ones let nothing in
                that the search turned away.

        Raises:
            SearchError: No trial completed, or none is within the limits.
        """
        return choose(
            self.trials,
            limits=limits or self.plan.limits,
            allowance=self.plan.export.allowance_ratio,
            finals=self.finals,
            latencies=self.latencies,
            losses=self.losses,
        )

    def losses(self, training: str) -> Array | None:
        """Of each validation row, by the artifact of a training, in [0, 1]; None where its files are gone."""
        path = self.plan.trial_folder(training) / LOSSES
        return load_arrays(path)["losses"][0] if path.exists() else None

    @property
    def pareto(self) -> list[TrialRecord]:
        """Completed trials that no other beats in accuracy, latency and size at once, the most accurate first."""
        return pareto_of(self.trials)


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
    timed = [index for index, entry in enumerate(entries) if entry["event"] == "timed"]  # the end of finals
    latencies = entries[timed[-1]]["latency_seconds"] if timed else {}
    return Study(folder, trials, plan, header["fingerprint"], finals_in(entries[: max(timed, default=0)]), latencies)


def finals_in(entries: Iterable[Mapping[str, Any]]) -> tuple[TrialRecord, ...]:
    """Trainings with fresh seeds that are in a journal, or in its beginning."""
    return tuple(TrialRecord.from_json(entry["record"]) for entry in entries if entry["event"] == "final")
