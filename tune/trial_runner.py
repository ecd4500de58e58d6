"""What a worker does, whatever brings its messages."""

from __future__ import annotations

import traceback

from evertune.errors import EvertuneError
from evertune.task import Splits
from tune.channel import Message
from tune.plan import Plan
from tune.record import TrialRecord
from tune.remote_oracle import Ask, RemoteOracle


class TrialRunner:
    """Runs trials in this process.

    Args:
        plan: The search.
        splits: Its data.
        threads: Of the training framework.
        ask: Sends an epoch to the driver and waits for its answer.

    Raises:
        Exception: What the task's file raises.
    """

    def __init__(self, plan: Plan, splits: Splits, threads: int, ask: Ask) -> None:
        from evertune.loading import load_task
        from tune.tuner import StudyTuner

        if plan.backend == "torch":
            import torch

            torch.set_num_threads(threads)
        task = load_task(plan.reference, plan.root)
        self._tuner = StudyTuner(RemoteOracle(ask), task, splits, plan, discover=False)

    def run(self, message: Message) -> Message:
        """Runs a trial to its end, whatever that is; the answer has the record."""
        from keras_tuner import HyperParameters
        from keras_tuner.engine.trial import Trial

        trial = Trial(HyperParameters.from_config(message["hyperparameters"]), message["trial_id"])
        self._tuner.oracle.trials = {trial.trial_id: trial}
        try:
            record = self._tuner.run_trial(trial, warm=message["warm"], epochs=message["epochs"])
        except Exception as error:  # a trial may fail in any way; the search goes on
            record = TrialRecord(trial.trial_id, dict(trial.hyperparameters.values), "failed", error=_explain(error))
        return {"type": "ended", "record": record.to_json(), "hyperparameters": trial.hyperparameters.get_config()}


def _explain(error: Exception) -> str:
    """A traceback, unless the error was raised on purpose and says it all."""
    if isinstance(error, EvertuneError):
        return f"{type(error).__name__}: {error}"
    return traceback.format_exc()
