"""What stands for the driver's oracle in a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from tune.channel import Message

Ask = Callable[[Message], Message]
"""Sends a message to the driver and waits for its answer."""


class RemoteOracle(keras_tuner.Oracle):  # type: ignore[misc]  # KerasTuner has no types
    """Sends epochs to the driver and waits for its word.

    Args:
        ask: The way to it.
    """

    def __init__(self, ask: Ask) -> None:
        super().__init__(keras_tuner.Objective("accuracy", "max"))
        self._ask = ask

    def update_trial(self, trial_id: str, metrics: Mapping[str, Any], step: int = 0) -> Trial:
        """As `StudyOracle.update_trial`."""
        answer = self._ask({"type": "epoch", "trial_id": trial_id, "metrics": dict(metrics), "step": step})
        trial = self.trials[trial_id]
        trial.status = TrialStatus.STOPPED if answer["type"] == "stop" else TrialStatus.RUNNING
        return trial
