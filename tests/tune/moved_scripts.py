"""Runs the moved scripts of one backend, the first after a kill -9 in the middle; run by test_drop_in.py.

`KERAS_BACKEND=... python moved_scripts.py FOLDER`; the last line is JSON.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import keras

from tests.tune.keras_tuner_scripts import SCRIPTS, moved

KILLED_AFTER = 3  # epochs, all executions together


class Kill(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Ends the process without a farewell, after so many epochs of all trials together."""

    epochs = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if Kill.epochs == KILLED_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)
        Kill.epochs += 1


def run(name: str, *, die: bool = False) -> dict[str, Any]:
    text = moved(SCRIPTS[name])
    if name == "function":
        text = text.replace("overwrite=True,", "")  # or there would be nothing to go on with
    text = text.replace("factor=2", "factor=3")  # two trials instead of four: TensorFlow is slow to trace a model
    if die:
        text = text.replace("callbacks=[stop]", "callbacks=[stop, Kill()]")
    names: dict[str, Any] = {"Kill": Kill}
    exec(compile(text, name, "exec"), names)
    return {
        key: {trial_id: record.to_json() for trial_id, record in names[key].oracle.records.items()}
        for key in ("tuner", "loop")
        if key in names
    }


def main() -> None:
    for name in ("tensorboard", "tensorboard.plugins", "tensorboard.plugins.hparams"):
        sys.modules[name] = None  # type: ignore[assignment]  # KerasTuner's own tuners fail every trial without it
    gc.freeze()  # KerasTuner collects garbage at each build: not among what was imported
    child = os.fork()
    if child == 0:
        try:
            run("function", die=True)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    journal = Path(sys.argv[1]) / "function" / "journal.jsonl"
    before = journal.read_text().splitlines()
    found = {name: run(name) for name in SCRIPTS}
    after = [json.loads(line) for line in journal.read_text().splitlines()]
    print(json.dumps({"killed": os.WIFSIGNALED(status), "lines_before": len(before), "journal": after, "found": found}))


if __name__ == "__main__":
    main()
