"""What a search leaves to the next: its best configurations that differ, by rank alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evertune.files import write_atomic
from tune.record import TrialRecord
from tune.study import ranked

FORMER_BEST = "best_configurations.json"
"""In a bundle's `training` folder."""

_FORMAT_VERSION = 1
_COUNT = 5
_GOOD_RATIO = 1 / 3  # of completed trials, as at a rung

Values = Mapping[str, Any]
"""Active hyperparameters of a trial."""


@dataclass(frozen=True)
class Former:
    """What a study leaves.

    Attributes:
        best: See `former_best`.
        ranks: See `former_ranks`.
    """

    best: tuple[Values, ...] = ()
    ranks: tuple[tuple[Values, float], ...] = ()

    @classmethod
    def of(cls, records: Sequence[TrialRecord]) -> Former:
        """Of the trials of one study."""
        return cls(tuple(former_best(records)), tuple(former_ranks(records)))


def former_best(records: Sequence[TrialRecord], count: int = _COUNT) -> list[Values]:
    """The best configuration, and of the best third those that differ most from it and from each other, by rank.

    A search ends with near twins of its winner. Where other data want something else, they fail together: what was
    good in several places says more. Scores are left behind: on other data they would mislead, ranks are what carries
    over (Salinas, Shen and Perrone 2020, "A Quantile-based Approach for Hyperparameter Transfer Learning").

    Args:
        records: Of one study.
        count: At most.
    """
    completed = [record.hyperparameters for record in ranked(records)]
    distinct = [values for index, values in enumerate(completed) if values not in completed[:index]]
    good = distinct[: max(count, round(_GOOD_RATIO * len(distinct)))]
    scales = {name: sorted(_numbers(distinct, name)) for name in {name for values in distinct for name in values}}
    chosen = good[:1]
    while len(chosen) < min(count, len(good)):
        rest = [values for values in good if values not in chosen]
        chosen.append(max(rest, key=lambda values: min(_distance(values, other, scales) for other in chosen)))
    return sorted(chosen, key=good.index)


def _distance(one: Values, other: Values, scales: Mapping[str, list[float]]) -> float:
    """From 0 to 1: over all hyperparameters, how many of the study's values lie between; 1 for unequal categories."""
    names = {*one, *other}
    return sum(_apart(one.get(name), other.get(name), scales[name]) for name in names) / max(1, len(names))


def _apart(one: Any, other: Any, scale: Sequence[float]) -> float:
    if _is_number(one) and _is_number(other):
        return abs(scale.index(one) - scale.index(other)) / max(1, len(scale) - 1)
    return float(one != other)  # absent in one of them is a difference, too


def _numbers(configurations: Sequence[Values], name: str) -> set[float]:
    return {values[name] for values in configurations if _is_number(values.get(name))}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def former_ranks(records: Sequence[TrialRecord]) -> list[tuple[Values, float]]:
    """Trials of a study with their ranks, from 0 for the best to 1 for the worst.

    Completed ones by their scores. Behind them those that a rung stopped: the longer trained first, then by what they
    had reached. Failed ones are last. One that was over a limit was never compared.

    Args:
        records: Of one study.
    """
    stopped = [record for record in records if record.state == "pruned" and record.rung_metric is not None]
    stopped.sort(key=lambda record: (-record.epochs, -(record.rung_metric or 0.0)))
    order = [*ranked(records), *stopped, *(record for record in records if record.state == "failed")]
    last = max(1, len(order) - 1)
    return [(record.hyperparameters, index / last) for index, record in enumerate(order)]


def write_former_best(folder: Path, records: Sequence[TrialRecord]) -> None:
    """Writes `former_best` and `former_ranks` of these trials to `best_configurations.json`."""
    former = Former.of(records)
    content = {
        "format_version": _FORMAT_VERSION,
        "configurations": [dict(each) for each in former.best],
        "ranks": [[dict(values), rank] for values, rank in former.ranks],
    }
    write_atomic(folder / FORMER_BEST, json.dumps(content, sort_keys=True).encode())


def read_former_best(folder: Path) -> Former | None:
    """Inverse of `write_former_best`; None where there is no such file, or one of a later version's format."""
    path = folder / FORMER_BEST
    if not path.is_file():
        return None
    content = json.loads(path.read_bytes())
    if content.get("format_version") != _FORMAT_VERSION:
        return None
    ranks = tuple((values, float(rank)) for values, rank in content.get("ranks", ()))  # older bundles have none
    return Former(tuple(content["configurations"]), ranks)
