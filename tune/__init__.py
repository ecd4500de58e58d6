"""Search: architecture, hyperparameters and training strategy, scored on the artifact that would ship.

Importing this package imports no framework: a task file does `from tune import presets`.
"""

from __future__ import annotations

from typing import Any

from tune.events import Event, Progress
from tune.picture import pareto_picture
from tune.record import TrialRecord
from tune.search import search
from tune.ship import ship
from tune.study import Study, load_study
from tune.warm_start import WarmStart

__all__ = [
    "Event",
    "Progress",
    "Study",
    "StudyOracle",
    "StudyTuner",
    "TrialRecord",
    "Tuner",
    "WarmStart",
    "load_study",
    "pareto_picture",
    "search",
    "ship",
]


def __getattr__(name: str) -> Any:
    """The classes that derive from KerasTuner's, and so import Keras, are imported when asked for."""
    if name == "StudyOracle":
        from tune.oracle import StudyOracle

        return StudyOracle
    if name == "StudyTuner":
        from tune.tuner import StudyTuner

        return StudyTuner
    if name == "Tuner":
        from tune.drop_in import Tuner

        return Tuner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
