"""Converters of skl2onnx 1.20 that fail with onnx 1.23, mended."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np


@cache
def register() -> None:
    """Registers them with skl2onnx."""
    _register_hist_boosting()
    _register_voting()
    _send_missing_values()


def _send_missing_values() -> None:
    """skl2onnx drops the way that a tree sends NaN (sklearn-onnx#1253): every node then sends it to the right."""
    import pkgutil
    import sys

    from skl2onnx import operator_converters
    from skl2onnx.common import tree_ensemble

    add_tree = tree_ensemble.add_tree_to_attribute_pairs

    def add(attributes: Any, is_classifier: bool, tree: Any, *args: Any, **options: Any) -> None:
        sent = attributes["nodes_missing_value_tracks_true"]
        first = len(sent)
        add_tree(attributes, is_classifier, tree, *args, **options)
        if hasattr(tree, "missing_go_to_left"):
            inner = tree.children_left != tree.children_right
            sent[first:] = [int(left) for left in tree.missing_go_to_left.astype(bool) & inner]

    for each in pkgutil.iter_modules(operator_converters.__path__):
        module = sys.modules.get(f"{operator_converters.__name__}.{each.name}")
        if getattr(module, "add_tree_to_attribute_pairs", None) is add_tree:
            module.add_tree_to_attribute_pairs = add  # type: ignore[union-attr]  # looked up the line before


def _register_voting() -> None:
    """skl2onnx refuses a way to transform that has no part in predicting, and needs the weights as an array."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.ensemble import VotingClassifier

    alias = "SklearnVotingClassifier"
    convert = get_converter(alias)

    def converter(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        kept = model.flatten_transform, model.weights
        model.flatten_transform = False
        model.weights = None if model.weights is None else np.asarray(model._weights_not_none, float)
        try:
            convert(scope, operator, container)
        finally:
            model.flatten_transform, model.weights = kept

    update_registered_converter(
        VotingClassifier,
        alias,
        get_shape_calculator(alias),
        converter,
        overwrite=True,
        options={"zipmap": [True, False, "columns"], "output_class_labels": [False, True], "nocl": [True, False]},
    )


def _register_hist_boosting() -> None:
    """Histogram gradient boosting: skl2onnx passes booleans as attributes, onnx takes integers only."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    for estimator in (HistGradientBoostingClassifier, HistGradientBoostingRegressor):
        alias = f"Sklearn{estimator.__name__}"
        update_registered_converter(
            estimator,
            alias,
            get_shape_calculator(alias),
            _with_integers(get_converter(alias)),
            overwrite=True,
            options={
                "zipmap": [True, False, "columns"],
                "raw_scores": [True, False],
                "output_class_labels": [False, True],
                "nocl": [True, False],
            }
            if estimator is HistGradientBoostingClassifier
            else None,
        )


def _with_integers(convert: Any) -> Any:
    def converter(scope: Any, operator: Any, container: Any) -> None:
        add_node = container.add_node

        def add(*args: Any, **attributes: Any) -> None:
            add_node(*args, **{name: _integers(value) for name, value in attributes.items()})

        container.add_node = add
        try:
            convert(scope, operator, container)
        finally:
            del container.add_node  # the method of the class is seen again

    return converter


def _integers(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return int(value)
    return [_integers(each) for each in value] if isinstance(value, list) else value
