"""What kills cost a study, read from its journal, from what its drivers were told, and from the rows it trained on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Entries = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Damage:
    """Of one study.

    Attributes:
        trials: That were started.
        lost: Results that are gone: trials that did not end, or failed because their processes died, and ends that a
            driver was told and that the journal does not have. A loss that became NaN is a result.
        duplicated: Trials that ended or started twice, or have the values of another.
        redone_epochs: Trained more than once, in all.
        redone_epochs_per_kill: The most of any trial, by the kills that met it.
    """

    trials: int
    lost: int
    duplicated: int
    redone_epochs: float
    redone_epochs_per_kill: float


def damage(entries: Entries, told_ended: Sequence[str], hits: Mapping[str, int], epochs: Mapping[str, float]) -> Damage:
    """Reads a study whose search has ended.

    Args:
        entries: Of its journal.
        told_ended: Trials of whose end a driver was told.
        hits: Kills by the trial that was in work.
        epochs: Trained, by trial.
    """
    started = Counter(entry["trial_id"] for entry in entries if entry["event"] == "started")
    records = [entry["record"] for entry in entries if entry["event"] == "ended"]
    ended = Counter(record["trial_id"] for record in records)
    killed = [each for each in records if each["state"] == "failed" and "process died" in str(each["error"])]
    values = Counter(json.dumps(record["hyperparameters"], sort_keys=True) for record in records)
    whole = [record for record in records if record["state"] != "failed"]  # of the others no epochs are written down
    redone = {record["trial_id"]: epochs[record["trial_id"]] - record["epochs"] for record in whole}
    rates = [
        extra / hits[trial_id] if hits.get(trial_id) else extra * float("inf")
        for trial_id, extra in redone.items()
        if extra > 0
    ]
    return Damage(
        trials=len(started),
        lost=len(set(started) - set(ended)) + len(set(told_ended) - set(ended)) + len(killed),
        duplicated=sum(count - 1 for each in (started, ended, values) for count in each.values()),
        redone_epochs=sum(redone.values()),
        redone_epochs_per_kill=max(rates, default=0.0),
    )


def hits_of(entries: Entries, driver_kills: Sequence[Sequence[str]]) -> dict[str, int]:
    """Kills by trial: of its worker, and of the driver under which it was in work."""
    lost = Counter(entry["trial_id"] for entry in entries if entry["event"] == "lost")
    return dict(lost + Counter(trial_id for each in driver_kills for trial_id in each))


def epochs_trained(entries: Entries, counts: Path, rows: int) -> dict[str, float]:
    """Epochs by trial, from the batches that its models wrote down."""
    found: dict[str, float] = {}
    for entry in entries:
        if entry["event"] == "ended":
            values = entry["record"]["hyperparameters"]
            file = counts / f"{values['units']}-{values['mark']!r}"
            lines = file.read_text().split() if file.exists() else []
            found[entry["record"]["trial_id"]] = sum(map(int, lines)) / rows
    return found
