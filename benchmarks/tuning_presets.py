"""The four presets on real data, beside a plain KerasTuner run of the same time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks._harness import Benchmark, Options, Outcome, Target
from evertune.task import Splits, Task
from evertune.tensors import Array

TASKS = {
    "image": "fashion_mnist/task.py:FashionMnist",
    "text": "sms_spam/task.py:SmsSpam",
    "tabular": "electricity/task.py:Electricity",
    "recommendation": "movielens/task.py:MovieLens",
}
"""Examples by preset."""

_SEARCHES = ("evertune", "keras_tuner")
_SEEDS, _SECONDS, _QUICK_SECONDS = 3, 90, 45
_MANY = 1_000  # trials: the time ends first


class _TimeIsUpError(Exception):
    """Ends a search of ours from its progress."""


def run(options: Options) -> Outcome:
    """Each search in a process of its own with one thread, in turns."""
    seconds, seeds = (_QUICK_SECONDS, 1) if options.quick else (_SECONDS, _SEEDS)
    figures: dict[str, float] = {}
    targets: dict[str, Target] = {}
    for preset in TASKS:
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in _SEARCHES}
        for seed in range(options.seed, options.seed + seeds):
            for name in _SEARCHES:
                found[name].append(_in_a_process(options, name, preset, seed, seconds))
                print(f"{preset}, seed {seed}, {name}: {found[name][-1]}", flush=True)
        for name, each in found.items():
            figures[f"{preset}_{name}_test_accuracy"] = median(one["test"] for one in each)
            figures[f"{preset}_{name}_trials"] = median(one["trials"] for one in each)
        pairs = [ours["test"] - theirs["test"] for ours, theirs in zip(*found.values(), strict=True)]
        figures |= {f"{preset}_gain": median(pairs), f"{preset}_gain_lowest": min(pairs)}
        figures[f"{preset}_gain_highest"] = max(pairs)
        targets[f"{preset}_gain"] = (">=", 0.0)
    return Outcome(figures, targets, {"seeds": seeds, "search_seconds": seconds, "threads": 1})


def _in_a_process(options: Options, name: str, preset: str, seed: int, seconds: int) -> dict[str, Any]:
    environment = os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    if options.data is not None:
        environment["EVERTUNE_DATA"] = str(options.data)  # where the examples look
    command = [sys.executable, "-m", "benchmarks.tuning_presets", name, preset, str(seed), str(seconds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _main(name: str, preset: str, seed: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        search = _ours if name == "evertune" else _theirs
        print(json.dumps(search(TASKS[preset], Path(folder), seed, end)))


def _ours(reference: str, folder: Path, seed: int, end: float) -> dict[str, Any]:
    """The bundle that ships, on test rows."""
    from evertune.bundle import BundleStore
    from evertune.loading import load_task
    from evertune.settings import Project, Settings, TuneSettings
    from evertune.task import LabelledWindow
    from tune import load_study, search, ship

    root, study = _examples(), folder / "study"
    settings = Settings(tune=TuneSettings(max_trials=_MANY, workers=1, seed=seed))

    def progress(event: Any) -> None:
        if time.monotonic() > end:
            raise _TimeIsUpError

    with contextlib.suppress(_TimeIsUpError):
        search(
            reference,
            project_root=root,
            window=LabelledWindow(),
            folder=study,
            settings=settings.tune,
            limits=settings.limits,
            export=settings.export,
            progress=progress,
        )
    found = load_study(study)
    bundle = ship(found, Project(root, settings), store=BundleStore(str(folder / "bundles")))
    task = load_task(reference, root)
    splits = task.load()
    return {
        "test": _accuracy(task, splits, bundle.session().run(splits.test.inputs)[task.signature.outputs[0].name]),
        "trials": sum(record.state in ("completed", "pruned") for record in found.trials),
        "family": found.best().trial.hyperparameters["family"],
        "recipe": found.best().trial.recipe,
    }


def _theirs(reference: str, folder: Path, seed: int, end: float) -> dict[str, Any]:
    """The best Keras model, as it is, on test rows."""
    from benchmarks._plain_tuners import search_plainly
    from evertune.loading import load_task
    from tune.frameworks.keras_model import model_inputs

    task = load_task(reference, _examples())
    splits = task.load()
    model, trials = search_plainly(task, splits, str(folder), seed, lambda: time.monotonic() > end)
    if model is None:  # not one trial ended in time
        return {"test": 0.0, "trials": 0}
    outputs = model.predict(model_inputs(splits.test.inputs), verbose=0)
    return {"test": _accuracy(task, splits, np.asarray(outputs)), "trials": trials}


def _examples() -> Path:
    import examples

    return Path(examples.__file__).parent


def _accuracy(task: Task, splits: Splits, outputs: Array) -> float:
    """One minus the mean bounded loss of the kind: the share of right rows; NDCG@10 for the ranking."""
    from evertune.losses import row_losses

    rows = splits.test
    losses = row_losses(task.kind, {task.signature.outputs[0].name: outputs}, rows.labels, task.parameters)
    return 1.0 - float(np.mean(losses))


BENCHMARK = Benchmark(
    summary="the four presets on real data, beside a plain KerasTuner run of the same time",
    duration="about 45 min; --quick 8 min",
    run=run,
)

if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
