"""Trains every framework of one backend: killed after an epoch, taken up again, and whole; run by test_frameworks.py.

`KERAS_BACKEND=... python killed_training.py FOLDER`; the last line is JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np

from tests.tune.framework_models import TASKS, Images
from tune.fitting import fit
from tune.hypermodel import TaskHyperModel
from tune.seeding import seed_everything

EPOCHS, KILLED_AFTER = 4, 2


def run(task: Images, seed: int, checkpoint: Path, *, die: bool = False, **values: Any) -> dict[str, Any]:
    seed_everything(seed)
    hp = keras_tuner.HyperParameters()
    hp.values = {"batch_size": 64, "augmentation": "shift_flip", "schedule": "warm_up_cosine", **values}
    splits = task.load()
    hypermodel = TaskHyperModel(task, splits, EPOCHS)
    _, learner = hypermodel.learner(hp)
    reports: list[int] = []

    def report(epoch: int, accuracy: float) -> bool:
        reports.append(epoch)
        if die and epoch == min(KILLED_AFTER, learner.most_epochs or EPOCHS):
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    trained = fit(hypermodel, hp, learner, seed=5, report=report, checkpoint=checkpoint)
    return {"trained": vars(trained), "reports": reports, "outputs": learner.predict(splits.test.inputs)}


def contract(task: Images, folder: Path, **values: Any) -> dict[str, Any]:
    checkpoint = folder / f"{type(task).__name__}{len(values)}{values.get('optimizer')}.npz"
    child = os.fork()
    if child == 0:
        try:
            run(task, 1, checkpoint, die=True, **values)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    resumed = run(task, 1, checkpoint, **values)
    whole = run(task, 1, folder / "whole.npz", **values)
    (folder / "whole.npz").unlink(missing_ok=True)
    return {
        "killed": os.WIFSIGNALED(status),
        "whole": whole["trained"],
        "resumed": resumed["trained"],
        "reports": resumed["reports"],
        "difference": float(np.abs(whole["outputs"] - resumed["outputs"]).max()),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    found = {}
    for kind in TASKS[os.environ["KERAS_BACKEND"]]:
        found[kind.__name__] = contract(kind(), folder)
        if kind.__name__ == "TorchImages":
            for optimizer in ("momentum", "rmsprop", "adagrad", "adamw"):
                found[f"{kind.__name__} {optimizer}"] = contract(kind(), folder, optimizer=optimizer)
    frameworks = [name for name in ("torch", "tensorflow") if name in sys.modules]
    print(json.dumps({"found": found, "frameworks": frameworks}))


if __name__ == "__main__":
    main()
