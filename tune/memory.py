"""What Optuna's sampler knows of a search: rebuilt from the journal at every start, never stored."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from tune.record import TrialRecord
from tune.sampler import choose_sampler
from tune.space import Parameter, is_conditional, walk

Direction = Literal["maximize", "minimize"]

_FAILURE_VIOLATION = 10.0  # a failed trial is worse than one over a limit: nothing was learned from it


class SamplerMemory:
    """An Optuna study behind two verbs: `ask` for values, `tell` what became of them.

    Args:
        directions: For each objective.
        max_trials: Of the search; decides the sampler.
        seed: Of the sampler.
        enqueued: See `choose_sampler`.
    """

    def __init__(self, *, directions: Sequence[Direction], max_trials: int, seed: int, enqueued: int = 0) -> None:
        self._directions = list(directions)
        self._max_trials, self._enqueued = max_trials, enqueued
        self._seed = seed
        self._conditional: bool | None = None
        self._asked: dict[str, optuna.Trial] = {}
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # else it announces a study in memory
        self._study = optuna.create_study(directions=self._directions, sampler=optuna.samplers.RandomSampler(seed))
        optuna.logging.set_verbosity(verbosity)

    def ask(self, trial_id: str, space: list[Any], *, uniform: bool = False) -> dict[str, Any]:
        """Values of the active hyperparameters, suggested by the sampler.

        Args:
            trial_id: To tell the outcome later.
            space: KerasTuner's hyperparameters, parents first.
            uniform: Draw at random in place of the sampler.
        """
        self._choose_sampler(space)
        sampler = self._study.sampler
        if uniform:
            self._study.sampler = optuna.samplers.RandomSampler(self._seed + 7919 * len(self._study.trials))
        try:
            return self._walk(trial_id, space)
        finally:
            self._study.sampler = sampler

    def ask_fixed(self, trial_id: str, space: list[Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Values as `wanted`; defaults where it has none, or one that the space does not hold."""
        self._choose_sampler(space)
        values: dict[str, Any] = {}
        fixed: dict[str, Any] = {}
        for parameter, hp, known in walk(space):
            if parameter is not None:
                known[hp.name], fixed[parameter.key] = _nearest(parameter, wanted.get(hp.name, hp.default))
            values = known
        self._study.enqueue_trial(fixed)
        self._walk(trial_id, space)
        return dict(values)

    def tell(
        self, trial_id: str, record: TrialRecord, objectives: Sequence[float] | None, space: list[Any] | None = None
    ) -> None:
        """Hands the outcome to the sampler.

        Pruned, rejected and failed trials count as bad regions: never as good, never ignored.

        Args:
            trial_id: As asked.
            record: State, and for a pruned trial its last rung metric.
            objectives: Values of a completed trial.
            space: As it is now, if it may have grown since the question: samplers learn nothing of a hyperparameter
                that is missing in one of the trials they look at.
        """
        if space is not None and _active_keys(space, record.hyperparameters) - set(self._asked[trial_id].params):
            self.forget(trial_id)
            self.ask_fixed(trial_id, space, record.hyperparameters)
        trial = self._asked.pop(trial_id)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            if objectives is not None:
                self._study.tell(trial, list(objectives))
            else:
                self._tell_bad(trial, record)

    def forget(self, trial_id: str) -> None:
        """Takes a question back: its values were a duplicate, or are not all."""
        self._study.tell(self._asked.pop(trial_id), state=TrialState.FAIL)

    def _tell_bad(self, trial: optuna.Trial, record: TrialRecord) -> None:
        if record.state != "pruned":
            trial.set_constraint("feasible", _FAILURE_VIOLATION if record.state == "failed" else 1.0)
        elif len(self._directions) == 1 and record.rung_metric is not None:
            # Only compared with that of other pruned trials; a rung metric is better when larger.
            sign = 1 if self._directions[0] == "maximize" else -1
            trial.report(sign * record.rung_metric, record.epochs)
        self._study.tell(trial, state=TrialState.PRUNED)

    def _walk(self, trial_id: str, space: list[Any]) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            trial = self._asked[trial_id] = self._study.ask()
            values: dict[str, Any] = {}
            for parameter, hp, known in walk(space):
                if parameter is not None:
                    known[hp.name] = parameter.to_value(_suggest(trial, parameter))
                values = known
        return dict(values)

    def _choose_sampler(self, space: list[Any]) -> None:
        conditional = is_conditional(space)
        if conditional == self._conditional:
            return
        self._conditional = conditional
        self._study.sampler = choose_sampler(
            conditional=conditional,
            objectives=len(self._directions),
            max_trials=self._max_trials,
            seed=self._seed,
            enqueued=self._enqueued,
        )


def _suggest(trial: optuna.Trial, parameter: Parameter) -> Any:
    match parameter.distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(parameter.key, choices)
        case IntDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_int(parameter.key, low, high, step=step, log=log)
        case FloatDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_float(parameter.key, low, high, step=step, log=log)
    raise TypeError(f"no suggestion for {parameter.distribution!r}")


def _active_keys(space: list[Any], values: Mapping[str, Any]) -> set[str]:
    found = set()
    for parameter, hp, known in walk(space):
        if parameter is not None:
            known[hp.name] = values.get(hp.name, hp.default)
            found.add(parameter.key)
    return found


def _nearest(parameter: Parameter, value: Any) -> tuple[Any, Any]:
    try:
        return value, parameter.to_internal(value)
    except (ValueError, TypeError):
        return parameter.hp.default, parameter.to_internal(parameter.hp.default)
