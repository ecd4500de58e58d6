"""Pipelines of scikit-learn by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn import decomposition, preprocessing
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.tree import DecisionTreeClassifier

Maker = Callable[[], Any]


def _before(*steps: Any) -> Maker:
    return lambda: make_pipeline(*steps, LogisticRegression(max_iter=300))


CLASSIFIERS: dict[str, Maker] = {
    "scaled-logistic": _before(preprocessing.StandardScaler()),
    "pca": _before(decomposition.PCA(3)),
    "polynomial": _before(preprocessing.StandardScaler(), preprocessing.PolynomialFeatures(2)),
    "robust-and-selected": _before(preprocessing.RobustScaler(), SelectKBest(k=4)),
    "power-transformed": _before(preprocessing.PowerTransformer()),
    "quantile-transformed": _before(preprocessing.QuantileTransformer(n_quantiles=50)),
    "binned-ordinal": _before(preprocessing.KBinsDiscretizer(5, encode="ordinal")),
    "union": _before(FeatureUnion([("pca", decomposition.PCA(2)), ("scaled", preprocessing.MinMaxScaler())])),
    "voting": lambda: VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], voting="soft"),
    "stacking": lambda: StackingClassifier([("a", GaussianNB()), ("b", DecisionTreeClassifier(max_depth=3))]),
}

REGRESSORS: dict[str, Maker] = {
    "scaled-linear": lambda: make_pipeline(preprocessing.StandardScaler(), LinearRegression()),
    "transformed-target": lambda: TransformedTargetRegressor(
        LinearRegression(), transformer=preprocessing.StandardScaler()
    ),
}

MISSING: dict[str, Maker] = {
    "imputed-missing": lambda: make_pipeline(SimpleImputer(), LogisticRegression()),
    "hist-boosting-missing": lambda: HistGradientBoostingClassifier(max_iter=10, random_state=0),
    "forest-missing": lambda: RandomForestClassifier(20, random_state=0),
    "tree-missing": lambda: DecisionTreeClassifier(max_depth=5, random_state=0),
    "extra-trees-missing": lambda: ExtraTreesClassifier(20, random_state=0),
    "bagging-missing": lambda: BaggingClassifier(n_estimators=5, random_state=0),
}


def table() -> Any:
    """Numbers scaled, codes as they are."""
    columns = ColumnTransformer([("numbers", preprocessing.StandardScaler(), [0, 1, 2, 3])], remainder="passthrough")
    return make_pipeline(columns, RandomForestClassifier(10, random_state=0))


def one_hot() -> Any:
    """Numbers scaled, codes as columns of their own."""
    numbers, codes = preprocessing.StandardScaler(), preprocessing.OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", numbers, [0, 1, 2, 3]), ("codes", codes, [4, 5])])
    return make_pipeline(columns, LogisticRegression())
