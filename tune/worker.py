"""A worker process: `python -m tune.worker FD` with one end of a socket pair. It ends when the driver does."""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import traceback
from typing import Any

from evertune.errors import EvertuneError
from tune.channel import Channel, Message
from tune.plan import Plan
from tune.record import TrialRecord


def main(descriptor: int) -> None:
    """Takes the plan, then trials, one at a time."""
    channel = Channel(socket.socket(fileno=descriptor))
    messages: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_listen, args=(channel, messages), daemon=True).start()
    try:
        setup = messages.get()
        os.chdir(setup["working_folder"])  # the process starts in our root, so that our `tune` is found first
        tuner = _tuner(Plan.from_json(setup["plan"]), channel, messages, setup["threads"])
    except BaseException as error:
        channel.send({"type": "broken", "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()})
        raise
    channel.send({"type": "ready"})
    while True:
        channel.send(_run(tuner, messages.get()))


def _listen(channel: Channel, messages: queue.Queue[Message]) -> None:
    while (received := channel.receive()) is not None:
        for message in received:
            messages.put(message)
    os._exit(0)  # the driver is gone, or needs this worker no more: an epoch in progress has nobody to report to


def _tuner(plan: Plan, channel: Channel, messages: queue.Queue[Message], threads: int) -> Any:
    from evertune.loading import load_task
    from tune.dataset import open_splits
    from tune.remote_oracle import RemoteOracle
    from tune.tuner import StudyTuner

    if plan.backend == "torch":
        import torch

        torch.set_num_threads(threads)
    task = load_task(plan.reference, plan.root)
    return StudyTuner(RemoteOracle(channel, messages), task, open_splits(plan.data), plan, discover=False)


def _run(tuner: Any, message: Message) -> Message:
    from keras_tuner import HyperParameters
    from keras_tuner.engine.trial import Trial

    trial = Trial(HyperParameters.from_config(message["hyperparameters"]), message["trial_id"])
    tuner.oracle.trials = {trial.trial_id: trial}
    try:
        record = tuner.run_trial(trial, warm=message["warm"], epochs=message["epochs"])
    except Exception as error:  # a trial may fail in any way; the search goes on
        record = TrialRecord(trial.trial_id, dict(trial.hyperparameters.values), "failed", error=_explain(error))
    return {"type": "ended", "record": record.to_json(), "hyperparameters": trial.hyperparameters.get_config()}


def _explain(error: Exception) -> str:
    """A traceback, unless the error was raised on purpose and says it all."""
    if isinstance(error, EvertuneError):
        return f"{type(error).__name__}: {error}"
    return traceback.format_exc()


if __name__ == "__main__":
    main(int(sys.argv[1]))
