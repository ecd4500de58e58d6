"""What a search leaves to the next: its best configurations that differ, by rank alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evertune.files import write_atomic
from tune.record import TrialRecord
from tune.study import ranked

FORMER_BEST = "best_configurations.json"
"""In a bundle's `training` folder."""

_FORMAT_VERSION = 1
_COUNT = 5


def former_best(records: Sequence[TrialRecord], count: int = _COUNT) -> list[Mapping[str, Any]]:
    """Configurations of the best completed trials, the best first, no two of them the same.

    Scores are left behind: on other data they would mislead, ranks are what carries over (Salinas, Shen and Perrone
    2020, "A Quantile-based Approach for Hyperparameter Transfer Learning").

    Args:
        records: Of one study.
        count: At most.
    """
    found: list[Mapping[str, Any]] = []
    for record in ranked(records):
        if len(found) < count and record.hyperparameters not in found:  # a fine-tuned trial has a twin
            found.append(record.hyperparameters)
    return found


def write_former_best(folder: Path, records: Sequence[TrialRecord]) -> None:
    """Writes `former_best` of these trials to `best_configurations.json`."""
    content = {"format_version": _FORMAT_VERSION, "configurations": [dict(each) for each in former_best(records)]}
    write_atomic(folder / FORMER_BEST, json.dumps(content, sort_keys=True).encode())


def read_former_best(folder: Path) -> list[Mapping[str, Any]] | None:
    """Inverse of `write_former_best`; None where there is no such file, or one of a later version's format."""
    path = folder / FORMER_BEST
    if not path.is_file():
        return None
    content = json.loads(path.read_bytes())
    return list(content["configurations"]) if content.get("format_version") == _FORMAT_VERSION else None
