"""Estimators and pipelines of scikit-learn, fitted on rows that a linear and a curved rule label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks._zoo.entry import VECTOR, Entry
from evertune.tensors import TensorSpec

_ROWS = 300
_TABLE = (TensorSpec("numbers", "float32", (4,)), TensorSpec("codes", "int64", (2,)))
_CODES = {"codes": 4}


def entries() -> tuple[Entry, ...]:
    """All of them."""
    from sklearn import discriminant_analysis, ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.multiclass import OneVsRestClassifier

    from benchmarks._zoo import sklearn_pipelines as pipelines

    classify: dict[str, Callable[[], Any]] = {
        "logistic": linear_model.LogisticRegression,
        "sgd": lambda: linear_model.SGDClassifier(loss="log_loss", random_state=0),
        "tree": lambda: tree.DecisionTreeClassifier(random_state=0),
        "forest": lambda: ensemble.RandomForestClassifier(20, random_state=0),
        "extra-trees": lambda: ensemble.ExtraTreesClassifier(20, random_state=0),
        "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0),
        "hist-boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=10, random_state=0),
        "ada-boost": lambda: ensemble.AdaBoostClassifier(n_estimators=10, random_state=0),
        "bagging": lambda: ensemble.BaggingClassifier(n_estimators=5, random_state=0),
        "svm": lambda: CalibratedClassifierCV(svm.SVC(), ensemble=False),
        "svm-linear": svm.LinearSVC,
        "k-nn": lambda: neighbors.KNeighborsClassifier(5),
        "k-nn-distance": lambda: neighbors.KNeighborsClassifier(5, weights="distance"),
        "naive-bayes": naive_bayes.GaussianNB,
        "lda": discriminant_analysis.LinearDiscriminantAnalysis,
        "qda": discriminant_analysis.QuadraticDiscriminantAnalysis,
        "perceptron": lambda: neural_network.MLPClassifier((16,), max_iter=30, random_state=0),
        "one-vs-rest": lambda: OneVsRestClassifier(linear_model.LogisticRegression()),
        **pipelines.CLASSIFIERS,
    }
    regress: dict[str, Callable[[], Any]] = {
        "ridge": linear_model.Ridge,
        "lasso": lambda: linear_model.Lasso(0.01),
        "forest-regressor": lambda: ensemble.RandomForestRegressor(20, random_state=0),
        "hist-boosting-regressor": lambda: ensemble.HistGradientBoostingRegressor(max_iter=10, random_state=0),
        "boosting-regressor": lambda: ensemble.GradientBoostingRegressor(n_estimators=10, random_state=0),
        "svm-regressor": svm.SVR,
        "k-nn-regressor": lambda: neighbors.KNeighborsRegressor(5),
        "gaussian-process": lambda: GaussianProcessRegressor(alpha=0.1),
        **pipelines.REGRESSORS,
    }
    quick = {"logistic", "forest", "boosting", "hist-boosting", "svm", "k-nn", "scaled-logistic", "svm-linear", "table"}
    return (
        *(_entry(name, make, "classification", quick=name in quick) for name, make in classify.items()),
        *(_entry(name, make, "regression") for name, make in regress.items()),
        *(_entry(name, make, "classification", missing=True) for name, make in pipelines.MISSING.items()),
        _entry("forest-labels", lambda: ensemble.RandomForestClassifier(10, random_state=0), "multilabel"),
        _entry("table", pipelines.table, "classification", inputs=_TABLE, quick=True),
        _entry("one-hot", pipelines.one_hot, "classification", inputs=_TABLE),
    )


def _entry(
    name: str,
    make: Callable[[], Any],
    kind: str,
    *,
    inputs: tuple[TensorSpec, ...] = VECTOR,
    missing: bool = False,
    quick: bool = False,
) -> Entry:
    def fitted(generator: np.random.Generator) -> Any:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.utils._testing import ignore_warnings

        values = generator.standard_normal((_ROWS, 6)).astype(np.float32) * 1.5
        if len(inputs) == len(_TABLE):
            values[:, 4:] = generator.integers(0, _CODES["codes"], (_ROWS, 2))
        truth = _truth(values, kind)
        if missing:
            values[generator.random(values.shape) < 0.15] = np.nan
        with ignore_warnings(category=ConvergenceWarning):
            return make().fit(values, truth)

    classes = 1 if kind == "regression" else 3
    ratio = 0.15 if missing else 0.0
    if missing:
        inputs = tuple(replace(spec, missing=True) for spec in inputs)
    return Entry(name, fitted, inputs, kind, classes, below=_CODES, missing_ratio=ratio, quick=quick)


def _truth(values: Any, kind: str) -> Any:
    score = values[:, 0] + np.sin(values[:, 1]) * values[:, 2] + 0.5 * values[:, 4]
    if kind == "regression":
        return score.astype(np.float32)
    if kind == "multilabel":
        return np.stack([score > 0, values[:, 1] > 0, values[:, 3] > 0.5], axis=1).astype(np.uint8)
    return np.digitize(score, [-0.7, 0.7])
