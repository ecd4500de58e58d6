"""scikit-learn estimators and pipelines: one `fit` is one epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from evertune.errors import TaskError
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import Array, Tensors
from export.converters.sklearn_rows import answer, is_regressor, matrix
from tune.frameworks.framework import AfterEpoch, Lesson, OwnFit
from tune.strategy import Strategy


class SklearnEstimators:
    """See `Framework`."""

    name = "a scikit-learn estimator or pipeline"
    measured_untrained = False  # its size is what it learned

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a `sklearn.base.BaseEstimator`."""
        return any(
            base.__name__ == "BaseEstimator" and base.__module__ == "sklearn.base" for base in type(model).__mro__
        )

    def check(self, model: Any, task: Task) -> None:
        """Looks at what the estimator can do; its output's shape is known when it is fitted."""
        where = f"{type(task).__name__}.build returned a {type(_last(model)).__name__}"
        if any(None in spec.shape for spec in task.inputs):
            raise TaskError(f"{where}, but Task.inputs has an axis of any length", fix="Give every axis its length.")
        if task.kind == "regression":
            if not is_regressor(model):
                raise TaskError(f"{where}, which is no regressor", fix="Return a regressor, such as Ridge().")
        elif not hasattr(model, "predict_proba"):
            raise TaskError(
                f"{where}, which gives no probabilities",
                fix="Return a classifier with predict_proba, or put it into a CalibratedClassifierCV.",
            )

    def learner(self, hp: Any, model: Any, task: Task, rows: Rows, max_epochs: int) -> SklearnLearner:
        """Nothing is asked for: what there is to choose are the estimator's own parameters."""
        return SklearnLearner(model, task)


class SklearnLearner:
    """See `Learner`. Nothing is pickled: a fitted estimator is kept as hyperparameters and seed.

    Args:
        model: Not fitted yet.
        task: Names the inputs and the classes.
    """

    strategy: Strategy | None = None
    most_epochs: int | None = 1
    keeps_weights = False

    def __init__(self, model: Any, task: Task) -> None:
        self.model = model
        self._task = task

    def train_epoch(self, lesson: Lesson, *, epoch: int, seed: int) -> float:
        """Fits once, in one thread of each library: sums then come in the same order wherever it is fitted again."""
        from threadpoolctl import threadpool_limits

        set_seeds(self.model, seed)
        labels = lesson.labels.ravel() if self._task.kind == "regression" else lesson.labels
        known = np.ones(len(labels), bool) if labels.ndim > 1 or labels.dtype.kind == "f" else labels >= 0
        weights = lesson.weights
        if weights is not None:
            known &= weights > 0  # an estimator may take no weights, but rows of none are not to be learned
        given = {} if weights is None else weight_parameter(self.model, weights[known])
        with threadpool_limits(1):
            self.model.fit(matrix(lesson.inputs, self._task.inputs)[known], labels[known], **given)
        return 0.0

    def fit_own(self, fit: OwnFit, splits: Splits, epochs: int, after: AfterEpoch) -> None:
        """Without callbacks: there are no epochs to report."""
        fit(self.model, splits.train, splits.validation, epochs, [])

    def predict(self, inputs: Tensors) -> Array:
        """See `Learner.predict`."""
        return answer(self.model, matrix(inputs, self._task.inputs), len(self._task.labels))

    def exported(self) -> Any:
        """The estimator, fitted."""
        return self.model

    def weights(self) -> list[Array]:
        """None."""
        return []

    def assign(self, values: Sequence[Array]) -> bool:
        """Never: hyperparameters alone are taken over by a warm start."""
        return False

    def state(self) -> dict[str, list[Array]] | None:
        """None: a fit that was killed begins anew."""
        return None

    def restore(self, state: dict[str, list[Array]]) -> bool:
        """Never."""
        return False


def set_seeds(model: Any, seed: int) -> None:
    """Gives a seed to every `random_state` that has none, inside pipelines too."""
    names = [name for name, value in model.get_params(deep=True).items() if value is None]
    found = [name for name in names if name.rpartition("__")[2] == "random_state"]
    model.set_params(**dict.fromkeys(found, seed % 2**32))


def weight_parameter(model: Any, weights: Array) -> dict[str, Array]:
    """Sample weights as the estimator, or the last step of the pipeline, takes them; nothing where it does not."""
    from sklearn.utils.validation import has_fit_parameter

    last = _last(model)
    if not has_fit_parameter(last, "sample_weight"):
        return {}
    prefix = "" if last is model else f"{model.steps[-1][0]}__"
    return {f"{prefix}sample_weight": weights}


def _last(model: Any) -> Any:
    return model.steps[-1][1] if hasattr(model, "steps") else model
