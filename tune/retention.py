"""Which trials' files stay on disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from tune.plan import Plan
from tune.record import TrialRecord
from tune.study import pareto_of, ranked
from tune.weights import LOSSES, WEIGHTS

_KEPT = 3  # of the best: the next one ships where a measurement alone on the machine turns the first away


def tidy(plan: Plan, records: Sequence[TrialRecord]) -> None:
    """Deletes the files of ended trials that are neither among the best nor on the Pareto front.

    So a study of any length holds at most so many weights, with what compares them, and nothing else of an ended trial: neither its checkpoint
    nor what a killed worker had half written.
    """
    kept = {record.trial_id for record in (*ranked(records)[:_KEPT], *pareto_of(records))}
    for record in records:
        folder = plan.trial_folder(record.trial_id)
        if record.trial_id not in kept:
            shutil.rmtree(folder, ignore_errors=True)
        elif folder.exists():
            for path in folder.iterdir():
                if path.name not in (WEIGHTS, LOSSES):
                    path.unlink()
