"""Which sampler answers."""

from __future__ import annotations

import warnings

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler

from tune.bayesian import BayesianSampler

_GP_TRIALS = 100  # its cost per suggestion grows with the cube of the trials
_GP_OBJECTIVES = 2
_LEAST_STARTUP = 3  # trials before there is a model


def choose_sampler(*, conditional: bool, objectives: int, max_trials: int, seed: int, enqueued: int = 0) -> BaseSampler:
    """Gaussian processes where the space is flat and small enough, else a tree-structured Parzen estimator.

    Args:
        conditional: The space has hyperparameters that exist only under conditions; a Gaussian process would drop
            those from its model.
        objectives: How many.
        max_trials: Of the whole search.
        seed: Zero is a seed like any other.
        enqueued: Trials that are not the sampler's: from three on they take the place of its random ones.
    """
    if not conditional and objectives <= _GP_OBJECTIVES and max_trials <= _GP_TRIALS:
        # A hyperparameter that appears late is drawn at random: nobody can do anything about it.
        return BayesianSampler(seed=seed, startup_trials=_startup(8, max_trials, enqueued))
    with warnings.catch_warnings():
        # `group` models each set of parameters that occur together on its own; stable since 2020, still so marked.
        warnings.simplefilter("ignore", ExperimentalWarning)
        startup = _startup(10, max_trials, enqueued)
        return TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=conditional)


def _startup(most: int, max_trials: int, enqueued: int) -> int:
    usual = max(_LEAST_STARTUP, min(most, max_trials // 3))
    return min(usual, enqueued) if enqueued >= _LEAST_STARTUP else usual
