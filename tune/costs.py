"""What a model costs to serve, as objectives beside its accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from tune.record import TrialRecord

ACCURACY = "accuracy"
COSTS = ("latency_seconds", "size_bytes")


def costs_of(figures: Mapping[str, Any]) -> dict[str, float]:
    """Those that are known among the figures of an artifact."""
    return {name: float(figures[name]) for name in COSTS if figures.get(name) is not None}


def with_costs(record: TrialRecord) -> TrialRecord:
    """The record with its costs among its metrics, where it completed: an oracle may have them as objectives."""
    return (
        replace(record, metrics={**record.metrics, **costs_of(asdict(record))}) if record.score is not None else record
    )


def objectives_of(names: Sequence[str]) -> list[Any]:
    """KerasTuner's objectives of `tune.objectives`: costs are minimized.

    Args:
        names: "accuracy", then costs.
    """
    import keras_tuner

    return [keras_tuner.Objective(name, "max" if name == ACCURACY else "min") for name in names]
