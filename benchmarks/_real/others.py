"""What people use, each followed by our export: a better model by its own validation accuracy is exported at once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks._real.artifact import artifact_score, is_feasible
from benchmarks._real.task import EPOCHS, Clothes

Report = Callable[[float | None, bool], None]
"""Given the score of an artifact (None where there is none), and whether a model over a limit was trained."""
_MOST_TRIALS = 1000


class _Follower:
    """Exports what is better than everything before."""

    def __init__(self, report: Report) -> None:
        self.task = Clothes()
        self.splits = self.task.load()
        self._report = report
        self._best = 0.0

    def see(self, model: Any, accuracy: float) -> None:
        """A trained model, and its validation accuracy."""
        feasible = is_feasible(model, self.task)
        better = accuracy > self._best
        self._best = max(self._best, accuracy if feasible else 0.0)
        score = artifact_score(model, self.task, self.splits) if better and feasible else None
        self._report(score, not feasible)

    def fit(self, model: Any, batch_size: int, **arguments: Any) -> Any:
        """As every search trains."""
        train, validation = self.splits.train, self.splits.validation
        return model.fit(
            train.inputs["image"],
            train.labels,
            batch_size=batch_size,
            validation_data=(validation.inputs["image"], validation.labels),
            **({"verbose": 0} | arguments),
        )


def random_full(seed: int, report: Report, trials: int) -> None:
    """Random feasible settings, each trained to the end and exported."""
    import keras
    import keras_tuner

    follower = _Follower(report)
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("x", "max"), max_trials=_MOST_TRIALS, seed=seed + 1
    )
    with tempfile.TemporaryDirectory() as folder:
        oracle._set_project_dir(folder, "random")
        oracle.verbose = 0
        keras.utils.set_random_seed(seed)
        hp = oracle.get_space()
        follower.task.build(hp)
        oracle.update_space(hp)
        done = 0
        while done < trials:
            trial = oracle.create_trial("bench")
            model = follower.task.build(trial.hyperparameters)
            oracle.update_space(trial.hyperparameters)
            if is_feasible(model, follower.task):
                follower.fit(model, trial.hyperparameters.get("batch_size"), epochs=EPOCHS)
                report(artifact_score(model, follower.task, follower.splits), False)
                done += 1
            oracle.update_trial(trial.trial_id, {"x": 0.0})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)


def keras_tuner_search(name: str, seed: int, report: Report) -> None:
    """`keras_tuner.Hyperband` or `keras_tuner.BayesianOptimization`, as a user calls it."""
    import keras_tuner

    follower = _Follower(report)

    class Model(keras_tuner.HyperModel):  # type: ignore[misc]  # KerasTuner has no types
        def build(self, hp: Any) -> Any:
            return follower.task.build(hp)

        def fit(self, hp: Any, model: Any, *arguments: Any, **named: Any) -> Any:
            return follower.fit(model, hp.get("batch_size"), **named)

    kind = getattr(keras_tuner, name)

    class Following(kind):  # type: ignore[misc, valid-type]  # KerasTuner has no types
        def run_trial(self, trial: Any, *arguments: Any, **named: Any) -> Any:
            results = super().run_trial(trial, *arguments, **named)
            histories = results if isinstance(results, list) else [results]
            accuracy = max(max(each.history["val_accuracy"]) for each in histories)
            follower.see(self.load_model(trial), accuracy)
            return results

    budget = (
        {"max_epochs": EPOCHS, "hyperband_iterations": 100} if name == "Hyperband" else {"max_trials": _MOST_TRIALS}
    )
    epochs = {} if name == "Hyperband" else {"epochs": EPOCHS}
    with tempfile.TemporaryDirectory() as folder:
        tuner = Following(Model(), objective="val_accuracy", seed=seed + 1, directory=folder, **budget)
        tuner.search(verbose=0, **epochs)


def optuna_search(seed: int, report: Report) -> None:
    """Optuna's default sampler and median pruning, over the same space."""
    import keras
    import keras_tuner
    import optuna

    from tune.space import walk

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    follower = _Follower(report)
    space = keras_tuner.HyperParameters()
    for family in ("mlp", "cnn"):
        space.values["family"] = family
        follower.task.build(space)

    def objective(trial: optuna.Trial) -> float:
        hp = space.copy()
        values: dict[str, Any] = {}
        for parameter, each, known in walk(space.space):
            if parameter is not None:
                known[each.name] = parameter.to_value(trial._suggest(parameter.key, parameter.distribution))
            values = known
        hp.values = dict(values)
        model, best = follower.task.build(hp), 0.0
        for epoch in range(EPOCHS):
            history = follower.fit(model, hp.get("batch_size"), epochs=1).history
            best = max(best, history["val_accuracy"][-1])
            trial.report(history["val_accuracy"][-1], epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        follower.see(model, best)
        return best

    keras.utils.set_random_seed(seed)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed), pruner=optuna.pruners.MedianPruner()
    )
    study.optimize(objective, n_trials=_MOST_TRIALS)
