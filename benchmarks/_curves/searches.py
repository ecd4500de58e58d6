"""The searches that are compared: ours, and what people use."""

from __future__ import annotations

import contextlib
import math
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks._curves.bench import Bench, SpentError
from tune.former_best import Former

_HUGE = 1e9  # what a library that takes no NaN is told of a training that diverged

Search = Callable[[Bench, int], None]
"""Given bench and seed; trains until the budget is spent."""


def evertune(bench: Bench, seed: int) -> None:
    """`StudyOracle` with rungs, as `evertune tune` uses it."""
    evertune_from(bench, seed, Former())


def evertune_from(bench: Bench, seed: int, former: Former) -> Former:
    """The same, begun with what an earlier search left; returns what this one leaves when the budget is spent."""
    import keras_tuner

    from tune import WarmStart
    from tune.journal import Journal
    from tune.oracle import StudyOracle
    from tune.rungs import Rungs

    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        oracle = StudyOracle(
            keras_tuner.Objective("accuracy", "max"),
            max_trials=bench.budget,
            hyperparameters=bench.table.space.copy(),
            seed=seed,
            rungs=Rungs(bench.table.epochs),
            max_total_epochs=bench.budget,
            enqueue=WarmStart(former.best).queue(),
            enqueue_defaults=False,
            former=former.ranks,
            journal=Journal(Path(folder) / "journal.jsonl"),
        )
        with contextlib.suppress(SpentError):
            _train(bench, oracle)
        return Former.of(list(oracle.records.values()))


def _train(bench: Bench, oracle: Any) -> None:
    """What a tuner does with the trials of an oracle."""
    rows: dict[str, int] = {}
    done: dict[str, int] = {}
    while (trial := oracle.create_trial("bench")).status == "RUNNING":
        name = trial.trial_id
        if name not in rows:
            rows[name] = bench.row(bench.table.point(trial.hyperparameters.values))
        loss = math.nan
        while trial.status == "RUNNING" and done.get(name, 0) < (oracle.epochs(name) or bench.table.epochs):
            done[name] = done.get(name, 0) + 1
            loss = bench.train(rows[name], done[name])
            oracle.update_trial(name, {"val_accuracy": -loss}, step=done[name])
        if trial.status == "RUNNING":
            oracle.update_trial(name, {"accuracy": -loss if math.isfinite(loss) else -_HUGE}, step=done[name])
            trial.status = "COMPLETED"
        oracle.end_trial(trial)


def _memory() -> str | None:
    """Where a file that is synced after every entry costs nothing."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def random_full(bench: Bench, seed: int) -> None:
    """Random settings, each trained to the end."""
    for row in np.random.default_rng(seed).permutation(len(bench.table.points)):
        for epoch in range(1, bench.table.epochs + 1):
            bench.train(int(row), epoch)


def one_epoch_then_top_three(bench: Bench, seed: int) -> None:
    """As many as the budget holds for one epoch, the best three to the end (Egele et al. 2023)."""
    epochs = bench.table.epochs
    first = min(len(bench.table.points), bench.budget - 3 * (epochs - 1))
    rows = [int(row) for row in np.random.default_rng(seed).permutation(len(bench.table.points))[:first]]
    reached = {row: bench.train(row, 1) for row in rows}
    for row in sorted(rows, key=lambda row: (math.isnan(reached[row]), reached[row]))[:3]:
        for epoch in range(2, epochs + 1):
            bench.train(row, epoch)


def keras_tuner_hyperband(bench: Bench, seed: int) -> None:
    """KerasTuner's `HyperbandOracle`, its brackets repeated; a promoted trial goes on where it was."""
    import keras_tuner

    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        oracle = keras_tuner.oracles.HyperbandOracle(
            objective=keras_tuner.Objective("val_loss", "min"),
            max_epochs=bench.table.epochs,
            hyperband_iterations=100,
            hyperparameters=bench.table.space.copy(),
            seed=seed + 1,  # it takes zero for "none given"
        )
        oracle._set_project_dir(folder, "hyperband")
        oracle.verbose = 0
        rows: dict[str, int] = {}
        while (trial := oracle.create_trial("bench")).status == "RUNNING":
            values = trial.hyperparameters.values
            before = values.get("tuner/trial_id")
            rows[trial.trial_id] = rows[before] if before else bench.row(bench.table.point(values))
            losses = [
                bench.train(rows[trial.trial_id], epoch + 1)
                for epoch in range(values["tuner/initial_epoch"], values["tuner/epochs"])
            ]
            best = min((loss for loss in losses if math.isfinite(loss)), default=_HUGE)
            oracle.update_trial(trial.trial_id, {"val_loss": best})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)


def _optuna(sampler: Callable[[int], Any], pruner: Callable[[int], Any]) -> Search:
    def search(bench: Bench, seed: int) -> None:
        epochs, names = bench.table.epochs, list(bench.table.settings[0])

        def objective(trial: optuna.Trial) -> float:
            row = bench.row(np.array([trial.suggest_float(name, 0.0, 1.0) for name in names]))
            best = math.inf
            for epoch in range(1, epochs + 1):
                loss = bench.train(row, epoch)
                best = min(best, loss if math.isfinite(loss) else math.inf)
                trial.report(loss if math.isfinite(loss) else _HUGE, epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned
            return best if math.isfinite(best) else _HUGE

        optuna.create_study(sampler=sampler(seed), pruner=pruner(epochs)).optimize(objective, n_trials=bench.budget)

    return search


SEARCHES: Mapping[str, Search] = {
    "evertune": evertune,
    "random": random_full,
    "keras_tuner_hyperband": keras_tuner_hyperband,
    "asha": _optuna(
        lambda seed: optuna.samplers.RandomSampler(seed),
        lambda epochs: optuna.pruners.SuccessiveHalvingPruner(min_resource=1),
    ),
    "one_epoch_then_top_three": one_epoch_then_top_three,
    "optuna_tpe_median": _optuna(
        lambda seed: optuna.samplers.TPESampler(seed=seed), lambda epochs: optuna.pruners.MedianPruner()
    ),
    "optuna_tpe_hyperband": _optuna(
        lambda seed: optuna.samplers.TPESampler(seed=seed),
        lambda epochs: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs),
    ),
}


def replay(name: str, bench: Bench, seed: int) -> float:
    """The regret of a search once its budget is spent."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries' experimental features
        with contextlib.suppress(SpentError):
            SEARCHES[name](bench, seed)
    return bench.table.regret(bench.best)
