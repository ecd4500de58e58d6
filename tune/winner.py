"""The trained model of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np

from evertune.errors import SearchError
from evertune.tensors import Array
from tune.fitting import fit
from tune.frameworks import Learner
from tune.hypermodel import TaskHyperModel
from tune.plan import Plan
from tune.seeding import seed_everything
from tune.weights import LOSSES, WEIGHTS, load_arrays, save_arrays

_SAME = 1e-6  # of accuracies: any row that is answered otherwise counts for more


def keep_winner(folder: Path, learner: Learner, accuracy: float, losses: Array | None = None) -> None:
    """Writes what `load_winner` needs: weights, if the framework has any, and the accuracy that they reached.

    Args:
        folder: Of the trial.
        learner: Trained.
        accuracy: By the training framework.
        losses: Of the artifact on validation rows, by which trials are compared row by row.
    """
    if losses is not None:
        save_arrays(folder / LOSSES, losses=[losses.astype(np.float32)])
    save_arrays(folder / WEIGHTS, weights=learner.weights(), accuracy=[np.array(accuracy)])


def load_winner(hypermodel: TaskHyperModel, values: Mapping[str, Any], plan: Plan, trial_id: str) -> Any:
    """Builds the model of a completed trial and puts its weights in, or trains it again where it has none.

    Raises:
        SearchError: Its weights were not kept, or do not fit, or another training gives another model: the task was
            edited since, or draws random numbers in a way of its own.
    """
    path = plan.trial_folder(trial_id) / WEIGHTS
    if not path.exists():
        raise SearchError(f"the weights of trial {trial_id} were not kept", fix="Ship one of the best trials.")
    kept, seed = load_arrays(path), plan.trial_seed(trial_id)
    seed_everything(seed)
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    _, learner = hypermodel.learner(hp)
    if not learner.keeps_weights:
        _refit(hypermodel, hp, learner, seed, trial_id, kept)
    elif not learner.assign(kept["weights"]):
        raise SearchError(
            f"the weights of trial {trial_id} do not fit the model that the task builds now",
            fix="Restore the task file as it was, or search again.",
        )
    return learner.exported()


def _refit(
    hypermodel: TaskHyperModel, hp: Any, learner: Learner, seed: int, trial_id: str, kept: Mapping[str, list[Array]]
) -> None:
    again = fit(hypermodel, hp, learner, seed=seed, report=lambda epoch, accuracy: True).accuracy
    before = float(kept["accuracy"][0])
    if abs(again - before) > _SAME:
        raise SearchError(
            f"trial {trial_id} reached accuracy {before:.6f} on validation rows, trained again it reaches {again:.6f}",
            fix="Restore the task file as it was, and draw random numbers from numpy or a random_state only.",
        )
