"""The trained model of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras_tuner

from evertune.errors import SearchError
from tune.hypermodel import TaskHyperModel
from tune.plan import Plan
from tune.seeding import seed_everything
from tune.weights import WEIGHTS, assign, load_arrays


def load_winner(hypermodel: TaskHyperModel, values: Mapping[str, Any], plan: Plan, trial_id: str) -> Any:
    """Builds the model of a completed trial and puts its weights in.

    Raises:
        SearchError: Its weights were not kept, or do not fit: the task was edited since.
    """
    path = plan.trial_folder(trial_id) / WEIGHTS
    if not path.exists():
        raise SearchError(f"the weights of trial {trial_id} were not kept", fix="Ship one of the best trials.")
    seed_everything(plan.trial_seed(trial_id))
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    model = hypermodel.build(hp)
    if not assign(model.weights, load_arrays(path)["weights"]):
        raise SearchError(
            f"the weights of trial {trial_id} do not fit the model that the task builds now",
            fix="Restore the task file as it was, or search again.",
        )
    return model
