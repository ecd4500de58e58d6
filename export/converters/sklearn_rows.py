"""What a scikit-learn estimator is given and what it answers, the same in training, export and parity check."""

from __future__ import annotations

from typing import Any

import numpy as np

from evertune.tensors import Array, Tensors, TensorSpec


def matrix(inputs: Tensors, specs: tuple[TensorSpec, ...]) -> Array:
    """All inputs flattened, as float32, side by side in declared order: shape (rows, columns)."""
    parts = [inputs[spec.name].reshape(len(inputs[spec.name]), -1).astype(np.float32) for spec in specs]
    return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def width(specs: tuple[TensorSpec, ...]) -> int:
    """Columns of that matrix."""
    return sum(int(np.prod([size or 0 for size in spec.shape])) for spec in specs)


def is_regressor(model: Any) -> bool:
    """Whether the estimator, or the last step of the pipeline, gives numbers and not classes."""
    from sklearn.base import is_regressor as of_scikit_learn

    return bool(of_scikit_learn(model))


def answer(model: Any, values: Array, outputs: int) -> Array:
    """The declared output, float32, shape (rows, outputs).

    Args:
        model: Fitted, on class indices where it is a classifier.
        values: See `matrix`.
        outputs: Classes; a class that no training row had gets probability zero. One for a regressor.
    """
    if is_regressor(model):
        return np.asarray(model.predict(values), np.float32).reshape(len(values), -1)
    found = model.predict_proba(values)
    if isinstance(found, list):  # several labels, each with the probabilities of "no" and "yes"
        return np.stack([_yes(part, classes) for part, classes in zip(found, model.classes_, strict=True)], axis=1)
    places = class_places(model, found.shape[1])
    filled = np.zeros((len(values), outputs), np.float32)
    filled[:, places] = found
    return filled


def class_places(model: Any, columns: int) -> Array:
    """The class index of each column that the estimator gives."""
    classes = getattr(model, "classes_", None)
    plain = isinstance(classes, np.ndarray) and classes.dtype.kind in "iu" and len(classes) == columns
    return np.asarray(classes) if plain else np.arange(columns)


def _yes(probabilities: Array, classes: Array) -> Array:
    column = np.flatnonzero(classes == 1)
    found = probabilities[:, column[0]] if len(column) else np.zeros(len(probabilities))
    return np.asarray(found, np.float32)
