"""Which of Optuna's samplers answers."""

from __future__ import annotations

import warnings

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, TPESampler

_GP_TRIALS = 100  # its cost per suggestion grows with the cube of the trials


def choose_sampler(*, conditional: bool, objectives: int, max_trials: int, seed: int) -> BaseSampler:
    """A Gaussian process where the space is flat and small enough, else a tree-structured Parzen estimator.

    Args:
        conditional: The space has hyperparameters that exist only under conditions; a Gaussian process would drop
            those from its model.
        objectives: How many.
        max_trials: Of the whole search.
        seed: Zero is a seed like any other.
    """
    startup = max(3, min(10, max_trials // 3))
    with warnings.catch_warnings():
        # `group` models each set of parameters that occur together on its own; stable since 2020, still so marked.
        warnings.simplefilter("ignore", ExperimentalWarning)
        if not conditional and objectives == 1 and max_trials <= _GP_TRIALS:
            # A hyperparameter that appears late is drawn at random: nobody can do anything about it.
            return GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
        return TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=conditional)
