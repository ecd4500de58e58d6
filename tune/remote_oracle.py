"""What stands for the driver's oracle in a worker."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from tune.channel import Channel, Message


class RemoteOracle(keras_tuner.Oracle):  # type: ignore[misc]  # KerasTuner has no types
    """Sends epochs to the driver and waits for its word.

    Args:
        channel: To the driver.
        answers: Where its messages arrive.
    """

    def __init__(self, channel: Channel, answers: queue.Queue[Message]) -> None:
        super().__init__(keras_tuner.Objective("accuracy", "max"))
        self._channel = channel
        self._answers = answers

    def update_trial(self, trial_id: str, metrics: Mapping[str, Any], step: int = 0) -> Trial:
        """As `StudyOracle.update_trial`."""
        self._channel.send({"type": "epoch", "trial_id": trial_id, "metrics": dict(metrics), "step": step})
        answer = self._answers.get()
        trial = self.trials[trial_id]
        trial.status = TrialStatus.STOPPED if answer["type"] == "stop" else TrialStatus.RUNNING
        return trial
