"""Estimators of scikit-learn that compete with networks on tables."""

from __future__ import annotations

from typing import Any

from evertune.preprocessing import Categories, Hashed, Numbers
from evertune.task import Task

Step = Numbers | Categories | Hashed
ESTIMATORS = ("boosting", "forest", "linear")


def estimator(hp: Any, name: str, task: Task, steps: list[Step], *, chosen: bool) -> Any:
    """One of `ESTIMATORS` for the task's kind, not fitted; None where it is not `chosen`.

    Its parameters are asked for in any case, under the condition that `family` is its name. Their ranges keep any file
    below a few megabytes.

    Args:
        hp: `keras_tuner.HyperParameters`.
        name: Of the family.
        task: Says whether values or probabilities are wanted.
        steps: Of its inputs, in order: what the columns of the estimator's matrix are.
        chosen: Whether to make it.
    """
    with hp.conditional_scope("family", [name]):
        settings = _SETTINGS[name](hp)
    if not chosen:
        return None
    found = _MAKERS[name](task.kind == "regression", settings)
    if task.kind == "multilabel" and name != "forest":  # which takes several labels itself
        from sklearn.multiclass import OneVsRestClassifier

        found = OneVsRestClassifier(found)
    return _prepared(found, steps) if name == "linear" else found


def _boosting_settings(hp: Any) -> dict[str, Any]:
    return {
        "learning_rate": hp.Float("boosting_learning_rate", 0.02, 0.3, sampling="log", default=0.08),
        "max_iter": hp.Int("boosting_rounds", 30, 300, sampling="log", default=120),
        "max_leaf_nodes": hp.Int("boosting_leaves", 4, 63, sampling="log", default=31),
        "min_samples_leaf": hp.Int("boosting_leaf_rows", 5, 200, sampling="log", default=20),
        "l2_regularization": hp.Float("boosting_l2", 1e-3, 10.0, sampling="log", default=0.1),
    }


def _forest_settings(hp: Any) -> dict[str, Any]:
    return {
        "n_estimators": hp.Int("forest_trees", 20, 200, sampling="log", default=100),
        "max_leaf_nodes": hp.Int("forest_leaves", 32, 1024, sampling="log", default=256),
        "min_samples_leaf": hp.Int("forest_leaf_rows", 1, 50, sampling="log", default=3),
        "max_features": hp.Choice("forest_columns_ratio", [0.3, 0.5, 1.0], default=0.5),
    }


def _linear_settings(hp: Any) -> dict[str, Any]:
    return {"strength": hp.Float("linear_regularization", 1e-4, 100.0, sampling="log", default=1.0)}


def _boosting(regression: bool, settings: dict[str, Any]) -> Any:
    from sklearn import ensemble

    kind = ensemble.HistGradientBoostingRegressor if regression else ensemble.HistGradientBoostingClassifier
    return kind(early_stopping=False, **settings)


def _forest(regression: bool, settings: dict[str, Any]) -> Any:
    from sklearn import ensemble

    kind = ensemble.RandomForestRegressor if regression else ensemble.RandomForestClassifier
    return kind(**settings)


def _linear(regression: bool, settings: dict[str, Any]) -> Any:
    from sklearn import linear_model

    if regression:
        return linear_model.Ridge(alpha=settings["strength"])
    return linear_model.LogisticRegression(C=1.0 / settings["strength"], max_iter=1000)


def _prepared(model: Any, steps: list[Step]) -> Any:
    """Behind standardised numbers, and one column a category."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    parts: list[tuple[str, Any, slice]] = []
    start = 0
    for step in steps:
        columns = slice(start, start := start + len(step.names))
        if isinstance(step, Numbers):
            parts.append((step.output, StandardScaler(), columns))
        else:
            parts.append((step.output, OneHotEncoder(handle_unknown="ignore"), columns))
    return make_pipeline(ColumnTransformer(parts), model)


_SETTINGS = {"boosting": _boosting_settings, "forest": _forest_settings, "linear": _linear_settings}
_MAKERS = {"boosting": _boosting, "forest": _forest, "linear": _linear}
