"""Which hyperparameters mattered, as far as the trials can tell."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning

from tune.curves import learning_curves
from tune.journal import read_entries
from tune.study import JOURNAL, Study

FEWEST_TRIALS = 10  # a forest on fewer points says more about its seed than about the space


@dataclass(frozen=True)
class Importances:
    """Shares of the variance of accuracy over the searched space that each hyperparameter explains (fANOVA).

    Source: Hutter, Hoos, Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML 2014.

    Attributes:
        shares: By name, the largest first; they add up to 1. Empty where nothing can be said.
        of: What accuracy is meant, in words.
        trials: How many were looked at.
        left_out: Hyperparameters that only some of the trials had: they cannot be compared with the others.
        absent: Why there are none, else None.
    """

    shares: Mapping[str, float]
    of: str
    trials: int
    left_out: tuple[str, ...]
    absent: str | None = None


def importances(study: Study) -> Importances:
    """Of the final score where enough trials have one, else of the accuracy after the first epoch.

    Pruned trials have no final score, and a late metric of a trial that was stopped late would favour whatever made it
    train for long; after the first epoch all trials stand at the same place.
    """
    values, of = _values(study)
    if len(values) < FEWEST_TRIALS:
        few = f"{len(values)} trials can be compared, and {FEWEST_TRIALS} are the fewest to say something from"
        return Importances({}, of, len(values), (), few)
    space = _space(study.folder)
    records = [record for record in study.trials if record.trial_id in values]
    common = [name for name in space if all(_holds(space[name], record.hyperparameters, name) for record in records)]
    left_out = tuple(name for name in space if name not in common)
    varied = [name for name in common if len({str(record.hyperparameters[name]) for record in records}) > 1]
    if not varied or len(set(values.values())) == 1:
        return Importances({}, of, len(values), left_out, "nothing varied between the trials")
    trials = [
        optuna.trial.create_trial(
            params={name: record.hyperparameters[name] for name in varied},
            distributions={name: space[name] for name in varied},
            value=values[record.trial_id],
        )
        for record in records
    ]
    return Importances(_shares(trials), of, len(values), left_out)


def _values(study: Study) -> tuple[dict[str, float], str]:
    scores = {each.trial_id: each.score for each in study.trials if each.score is not None}
    if len(scores) >= FEWEST_TRIALS:
        return scores, "accuracy of the artifact"
    curves = learning_curves(study.folder)
    ended = {record.trial_id for record in study.trials}
    first = {trial: epochs[1] for trial, epochs in curves.items() if 1 in epochs and trial in ended}
    return (first, "accuracy after the first epoch") if len(first) > len(scores) else (scores, "accuracy")


def _shares(trials: list[optuna.trial.FrozenTrial]) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # else it announces a study in memory
        study = optuna.create_study(direction="maximize")
        optuna.logging.set_verbosity(verbosity)
        study.add_trials(trials)
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _holds(distribution: BaseDistribution, values: Mapping[str, Any], name: str) -> bool:
    try:
        return name in values and distribution._contains(distribution.to_internal_repr(values[name]))
    except (ValueError, TypeError):
        return False


def _space(folder: Path) -> dict[str, BaseDistribution]:
    """The searched space by name, from the journal: without KerasTuner, which imports Keras.

    A name that stands for different hyperparameters under different conditions is left out by `_holds`, or by the
    conditions themselves.
    """
    space: dict[str, BaseDistribution] = {}
    for entry in read_entries(folder / JOURNAL)[0]:
        for each in entry["hyperparameters"] if entry["event"] == "space" else ():
            distribution = _distribution(each["class_name"], each["config"])
            if distribution is not None:
                space.setdefault(each["config"]["name"], distribution)
    return space


def _distribution(kind: str, config: Mapping[str, Any]) -> BaseDistribution | None:
    if kind == "Boolean":
        return CategoricalDistribution([False, True])
    if kind == "Choice":
        return CategoricalDistribution(config["values"])
    if kind not in ("Int", "Float"):
        return None
    low, high = config["min_value"], config["max_value"]
    log = config.get("sampling") in ("log", "reverse_log")
    return IntDistribution(low, high, log) if kind == "Int" else FloatDistribution(low, high, log)
