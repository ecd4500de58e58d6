"""Finding out, before the first trial, what only `fit` asks for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from keras_tuner.engine import base_tuner

_FEW = 32  # rows
_DATA = ("x", "y", "validation_data", "sample_weight")


def few_rows(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Arguments of `Tuner.search` for a training of one epoch on 32 rows.

    Returns:
        Arguments and keywords without callbacks; None where there are no data, or data that cannot be cut without
        being used up, such as a generator.
    """
    if not arguments and not any(name in keywords for name in _DATA):
        return None
    try:
        changed = {name: _few(value) if name in _DATA else value for name, value in keywords.items()}
        cut = tuple(_few(value) for value in arguments)
    except TypeError:
        return None
    changed.pop("initial_epoch", None)
    return cut, {**changed, "epochs": 1, "callbacks": [], "verbose": 0}


def explore(oracle: Any, ask: Callable[[Any], object]) -> None:
    """Calls `ask` with hyperparameters until every conditional scope was entered once.

    An error ends it with a warning: what is not known yet will be when the first trial asks for it.
    """
    stand_in = SimpleNamespace(oracle=oracle, hypermodel=SimpleNamespace(build=ask))
    try:
        base_tuner.BaseTuner._activate_all_conditions(stand_in)
    except Exception as error:  # whatever a user's code raises on so few rows
        warnings.warn(
            f"what `fit` asks for is not known before the first trial: on {_FEW} rows it raised "
            f"{type(error).__name__}: {error}",
            stacklevel=2,
        )


def _few(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return type(value)(_few(each) for each in value)
    if isinstance(value, dict):
        return {name: _few(each) for name, each in value.items()}
    if len(getattr(value, "shape", ())) > 0:
        return value[:_FEW]
    if hasattr(value, "take") and hasattr(value, "element_spec"):  # a tf.data.Dataset: one batch
        return value.take(1)
    raise TypeError(f"{type(value).__name__} has no first rows")
